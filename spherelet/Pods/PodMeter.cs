using System.Runtime.CompilerServices;
using Vks.Runtime.Guest;

namespace Vks.Spherelet.Pods;

/// <summary>Asks the guests of pods what they use, many at a time. A guest that does not answer holds up neither the others nor the asker.</summary>
internal sealed partial class PodMeter(TimeProvider time, ILogger<PodMeter> logger) : IDisposable
{
    /// <summary>How long a guest may take to answer when its asker has no deadline that is nearer.</summary>
    internal static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(5);

    /// <summary>How long a question counts as work: after that its guest does nothing, and the next pod is asked.</summary>
    private static readonly TimeSpan s_slotTime = TimeSpan.FromMilliseconds(200);

    /// <summary>Guests that are asked at once: each answer wakes a machine and costs the host CPU time.</summary>
    private const int Slots = 16;

    private readonly SemaphoreSlim _slots = new(Slots);
    private readonly ConditionalWeakTable<PodSandbox, PodReader> _readers = [];

    /// <summary>One pod.</summary>
    /// <param name="sandbox">The pod.</param>
    /// <param name="patience">How long to wait for the answer, at most <see cref="AnswerLimit"/>.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="PodException"><see cref="PodFault.WrongState"/>: its machine does not run. <see cref="PodFault.TimedOut"/>: its guest does not answer.</exception>
    /// <exception cref="GuestException">The guest refused, or went away.</exception>
    public async Task<PodReading> ReadAsync(PodSandbox sandbox, TimeSpan patience, CancellationToken cancellationToken)
    {
        try
        {
            return await Reader(sandbox).ReadAsync().WaitAsync(patience, time, cancellationToken);
        }
        catch (TimeoutException cause)
        {
            throw new PodException(
                PodFault.TimedOut,
                sandbox.Id,
                $"The guest of pod sandbox {sandbox.Id} has not told within {patience.TotalSeconds:0.0} s what it uses. If that goes on, stop the pod: its machine can be ended from outside.",
                cause);
        }
    }

    /// <summary>Those pods that answer in time, in the order given; the others are left out.</summary>
    /// <param name="sandboxes">The pods.</param>
    /// <param name="patience">How long to wait for all answers together, at most <see cref="AnswerLimit"/>.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public async Task<IReadOnlyList<PodReading>> ReadAllAsync(IEnumerable<PodSandbox> sandboxes, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(patience, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        PodReading?[] readings = await Task.WhenAll(sandboxes.Select(sandbox => TryReadAsync(sandbox, limit.Token)));
        cancellationToken.ThrowIfCancellationRequested();
        return [.. readings.OfType<PodReading>()];
    }

    /// <inheritdoc/>
    public void Dispose() => _slots.Dispose();

    private async Task<PodReading?> TryReadAsync(PodSandbox sandbox, CancellationToken limit)
    {
        PodReader reader = Reader(sandbox);
        if (reader.Waiting > AnswerLimit)
        {
            // It was silent the last time and still is.
            return null;
        }

        try
        {
            PodReading reading = await (await BeginAsync(reader, limit)).WaitAsync(limit);
            reader.SilenceTold = false;
            return reading;
        }
        catch (OperationCanceledException) when (reader.Waiting < s_slotTime)
        {
            // Its turn never came, or the asker has gone; the guest may be well.
            return null;
        }
        catch (OperationCanceledException cause)
        {
            TellSilence(sandbox, reader, cause);
            return null;
        }
        catch (GuestException cause)
        {
            TellSilence(sandbox, reader, cause);
            return null;
        }
        catch (PodException cause) when (cause.Fault == PodFault.WrongState)
        {
            // Stopped since the list was made.
            return null;
        }
    }

    private async Task<Task<PodReading>> BeginAsync(PodReader reader, CancellationToken limit)
    {
        await _slots.WaitAsync(limit);
        try
        {
            Task<PodReading> reading = reader.ReadAsync();
            await Task.WhenAny(reading, Task.Delay(s_slotTime, time, limit));
            return reading;
        }
        finally
        {
            _slots.Release();
        }
    }

    /// <summary>Once for each silence: a kubelet asks every ten seconds.</summary>
    private void TellSilence(PodSandbox sandbox, PodReader reader, Exception cause)
    {
        if (!reader.SilenceTold && sandbox.IsMachineRunning)
        {
            reader.SilenceTold = true;
            PodSilent(sandbox.Id, cause.Message);
        }
    }

    private PodReader Reader(PodSandbox sandbox) => _readers.GetValue(sandbox, key => new PodReader(key, time));

    [LoggerMessage(3170, LogLevel.Warning, "The guest of pod {PodId} has not told in time what it uses; lists of usage go without it until it does: {Cause}")]
    private partial void PodSilent(string podId, string cause);
}
