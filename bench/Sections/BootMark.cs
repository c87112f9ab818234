using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Vks.Bench.Sections;

/// <summary>The line by which PID 1 tells that it runs.</summary>
internal static class BootMark
{
    /// <summary>The line.</summary>
    public const string Text = "vks-bench-pid1";

    private static readonly TimeSpan s_bootTime = TimeSpan.FromSeconds(60);

    /// <summary>Reads a console until the line comes.</summary>
    /// <returns>The time stamp (<see cref="Stopwatch"/>) at which it came.</returns>
    /// <exception cref="BenchException">It did not within 60 s, or the console ended; what it said is in the message.</exception>
    public static async Task<long> WaitAsync(Socket console, CancellationToken cancellationToken)
    {
        using CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(s_bootTime);
        byte[] chunk = new byte[4096];
        StringBuilder said = new();
        try
        {
            while (true)
            {
                int count = await console.ReceiveAsync(chunk, deadline.Token);
                long now = Stopwatch.GetTimestamp();
                if (count == 0)
                {
                    throw new BenchException($"The console ended before PID 1 spoke. It said: {said}");
                }

                said.Append(Encoding.ASCII.GetString(chunk, 0, count));
                if (said.ToString().Contains(Text, StringComparison.Ordinal))
                {
                    return now;
                }
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new BenchException($"PID 1 did not speak within {s_bootTime.TotalSeconds} s. The console said: {said}");
        }
    }
}
