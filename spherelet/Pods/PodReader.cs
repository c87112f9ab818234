using Vks.Runtime.Guest.Protocol;

namespace Vks.Spherelet.Pods;

/// <summary>Asks one pod's guest what it uses, once at a time: who asks meanwhile gets the same answer.</summary>
/// <remarks>So a guest that does not answer has one question waiting, however often it is asked.</remarks>
internal sealed class PodReader(PodSandbox sandbox, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly CpuRates _rates = new();
    private Task<PodReading>? _reading;
    private long _asked;

    /// <summary>Whether the silence of this pod has been told.</summary>
    public bool SilenceTold { get; set; }

    /// <summary>For how long an answer has been waited for; zero when none is.</summary>
    public TimeSpan Waiting
    {
        get
        {
            lock (_lock)
            {
                return _reading is { IsCompleted: false } ? time.GetElapsedTime(_asked) : TimeSpan.Zero;
            }
        }
    }

    /// <summary>Asks, or joins the question under way.</summary>
    /// <exception cref="PodException"><see cref="PodFault.WrongState"/>: the machine does not run.</exception>
    /// <exception cref="Vks.Runtime.Guest.GuestException">The guest refused, or went away.</exception>
    public Task<PodReading> ReadAsync()
    {
        lock (_lock)
        {
            if (_reading is not { IsCompleted: false })
            {
                _asked = time.GetTimestamp();
                _reading = AskAsync();

                // Whoever asked may have lost patience, and then nobody looks at the outcome.
                _ = _reading.ContinueWith(static reading => reading.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            }

            return _reading;
        }
    }

    private async Task<PodReading> AskAsync()
    {
        GuestStats guest = await sandbox.Guest.CallAsync(
            GuestMethods.Stats, new Empty(), GuestJson.Default.Empty, GuestJson.Default.GuestStats, CancellationToken.None);
        IReadOnlyDictionary<string, long> rates = _rates.Take(
            guest.BootNanoseconds,
            [
                KeyValuePair.Create(sandbox.Id, guest.Pod?.CpuNanoseconds ?? 0),
                .. guest.Containers.Where(static container => container.Group is not null).Select(static container => KeyValuePair.Create(container.ContainerId, container.Group!.CpuNanoseconds)),
            ]);
        return new PodReading(sandbox, UnixTime.Nanoseconds(time.GetUtcNow()), guest, rates);
    }
}
