using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Vks.Agent.Host;

namespace Vks.Agent.Personality;

/// <summary>Feeds the kernel's random pool, random(4).</summary>
internal static unsafe class Entropy
{
    /// <summary>Adds bytes, then makes the kernel reseed at once, so that two clones of one template part ways.</summary>
    /// <param name="bytes">From the host.</param>
    /// <param name="creditedBytes">How many bytes of randomness they hold.</param>
    internal static void Credit(ReadOnlySpan<byte> bytes, int creditedBytes)
    {
        const nuint Reseed = 0x5207;
        const int NotReady = 61; // ENODATA: there is no generator yet to reseed; its first seed will have our bytes in it.
        // struct rand_pool_info: entropy in bits, size in bytes, bytes.
        var info = new byte[8 + bytes.Length];
        BinaryPrimitives.WriteInt32LittleEndian(info, creditedBytes * 8);
        BinaryPrimitives.WriteInt32LittleEndian(info.AsSpan(4), bytes.Length);
        bytes.CopyTo(info.AsSpan(8));
        int fd = Descriptors.Open("/dev/urandom", Constants.OpenReadWrite);
        try
        {
            fixed (byte* start = info)
            {
                if (Libc.IoControl(fd, Constants.AddEntropy, start) != 0
                    || (Libc.IoControl(fd, Reseed, null) != 0 && Marshal.GetLastPInvokeError() != NotReady))
                {
                    throw SystemError.Last($"Adding {bytes.Length} bytes of entropy");
                }
            }
        }
        finally
        {
            Descriptors.Close(fd);
        }
    }
}
