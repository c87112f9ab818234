using System.Runtime.InteropServices;

namespace Vks.Bench.Host;

/// <summary>Memory that was written to and is given back piece by piece, just before something is started that will take as much.</summary>
/// <remarks>
/// A machine that is itself a guest has of its memory what it has touched: its hypervisor finds it each further page at the first write, and takes pages
/// back that lie free for a while. Starts beside idle pods then take 40 % longer from the pod on that is the first to get such pages, which says nothing
/// of pods.
/// </remarks>
internal sealed unsafe class TouchedMemory : IDisposable
{
    private const int PieceMiB = 64; // malloc(3) maps pieces of more than 32 MiB, and free(3) gives them back to the kernel
    private const int PageBytes = 4096;

    private readonly Stack<nint> _pieces = new();

    /// <summary>Takes and touches as much.</summary>
    /// <param name="size">MiB, rounded down to pieces of 64.</param>
    public TouchedMemory(double size)
    {
        const nuint Bytes = (nuint)PieceMiB << 20;
        while ((_pieces.Count + 1) * PieceMiB <= size)
        {
            byte* piece = (byte*)NativeMemory.Alloc(Bytes);
            for (nuint offset = 0; offset < Bytes; offset += PageBytes)
            {
                piece[offset] = 1;
            }

            _pieces.Push((nint)piece);
        }
    }

    /// <summary>What is left of it.</summary>
    public double MiB => _pieces.Count * PieceMiB;

    /// <summary>Gives back at least as much, while there is any.</summary>
    /// <param name="size">MiB.</param>
    public void Release(double size)
    {
        for (double released = 0; released < size && _pieces.TryPop(out nint piece); released += PieceMiB)
        {
            NativeMemory.Free((void*)piece);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Release(double.PositiveInfinity);
}
