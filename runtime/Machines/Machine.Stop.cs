using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging;

namespace Vks.Runtime.Machines;

/// <content>Stopping: agent, SIGTERM, SIGKILL, each with its time.</content>
public sealed partial class Machine
{
    /// <summary>How long QEMU may take to end after SIGTERM.</summary>
    private static readonly TimeSpan TerminateTime = TimeSpan.FromSeconds(1);

    /// <summary>How long a killed QEMU may take to vanish; longer means that the host's kernel holds it.</summary>
    private static readonly TimeSpan KillTime = TimeSpan.FromSeconds(3);

    private Task _stopWork = Task.CompletedTask;
    private CancellationTokenSource _hurry = new();
    private long _graceEnds;

    /// <summary>A stop is under way and has not failed. Only the driver writes it, so a stop that is asked again after a failure is never taken for the failed one.</summary>
    private bool _stopping;

    private void BeginStop(TimeSpan grace, Abort abort)
    {
        _abort ??= abort;
        _grace = grace;
        bool starting = Current.State == MachineState.Starting;
        Publish(MachineState.Stopping);
        if (starting)
        {
            _giveUpStart.Cancel();
        }
        else
        {
            BeginStopWork(_run ?? throw new UnreachableException("A running machine has a run."));
        }
    }

    private void BeginStopWork(IMachineRun run)
    {
        _hurry = new CancellationTokenSource(Timeout.InfiniteTimeSpan, _time);
        _graceEnds = _time.GetTimestamp() + (long)(Math.Min(_grace.TotalSeconds, MaxGraceSeconds) * _time.TimestampFrequency);
        _stopping = true;
        _stopWork = StopRunAsync(run, _grace, _hurry.Token);
    }

    /// <summary>Shortens the grace of a stop under way; kills again when an earlier kill failed.</summary>
    private void HurryStop(TimeSpan grace)
    {
        _grace = grace < _grace ? grace : _grace;
        if (_run is not { } run)
        {
            return; // still undoing a start; the shortened grace is read when that ends
        }

        if (!_stopping)
        {
            _grace = TimeSpan.Zero;
            BeginStopWork(run);
        }
        else if (grace == TimeSpan.Zero)
        {
            _hurry.Cancel();
        }
        else if (_time.GetElapsedTime(_time.GetTimestamp(), _graceEnds) > grace)
        {
            _hurry.CancelAfter(grace);
        }
    }

    private async Task StopRunAsync(IMachineRun run, TimeSpan grace, CancellationToken hurry)
    {
        try
        {
            if (grace > TimeSpan.Zero)
            {
                await AskGuestAsync(run, grace, hurry);
                if (!run.Ended.IsCompleted && !hurry.IsCancellationRequested)
                {
                    GraceOver(Id, run.QemuPid);
                    run.Terminate();
                    await EndedWithinAsync(run, TerminateTime, hurry);
                }
            }

            if (run.Ended.IsCompleted)
            {
                return;
            }

            run.Kill();
            if (!await EndedWithinAsync(run, KillTime, CancellationToken.None))
            {
                _events.Writer.TryWrite(new MachineEvent.KillFailed(KillFailure(run, cause: null)));
            }
        }
        catch (Exception exception)
        {
            _events.Writer.TryWrite(new MachineEvent.KillFailed(KillFailure(run, exception)));
        }
    }

    /// <summary>Asks the agent, then waits for QEMU's end; at most the grace period, less when hurried, nothing when the agent refuses.</summary>
    private async Task AskGuestAsync(IMachineRun run, TimeSpan grace, CancellationToken hurry)
    {
        TimeSpan bounded = TimeSpan.FromSeconds(Math.Min(grace.TotalSeconds, MaxGraceSeconds));
        using var timeUp = new CancellationTokenSource(bounded, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeUp.Token, hurry, _letGo.Token);
        try
        {
            await run.AskPowerOffAsync(either.Token).WaitAsync(either.Token);
            await run.Ended.WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (either.IsCancellationRequested)
        {
            _letGo.Token.ThrowIfCancellationRequested();
        }
        catch (Exception exception)
        {
            PowerOffFailed(exception, Id);

            // The channel closes a moment before the process when the guest was faster than its own answer.
            await EndedWithinAsync(run, TimeSpan.FromMilliseconds(500), either.Token);
        }
    }

    /// <summary>Longer graces mean the same, and timers have a limit.</summary>
    private const double MaxGraceSeconds = 7 * 24 * 3600;

    private async Task<bool> EndedWithinAsync(IMachineRun run, TimeSpan time, CancellationToken hurry)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(hurry, _letGo.Token);
        await Task.WhenAny(run.Ended, Task.Delay(time, _time, either.Token));
        _letGo.Token.ThrowIfCancellationRequested();
        return run.Ended.IsCompleted;
    }

    private MachineException KillFailure(IMachineRun run, Exception? cause) => new(
        MachineFault.KillFailed,
        Id,
        string.Create(
            CultureInfo.InvariantCulture,
            $"QEMU of machine {Id.Prefix}, process {run.QemuPid}, was killed and is still there {KillTime.TotalSeconds} s later. The host's kernel holds it, most likely in a disk or network request; see /proc/{run.QemuPid}/stack, then ask again."),
        cause);

    [LoggerMessage(2003, LogLevel.Warning, "Machine {MachineId}: the guest did not power off in time, ending QEMU process {QemuPid}")]
    private partial void GraceOver(MachineId machineId, int qemuPid);

    [LoggerMessage(2004, LogLevel.Warning, "Machine {MachineId}: the agent could not be asked to power off")]
    private partial void PowerOffFailed(Exception exception, MachineId machineId);
}
