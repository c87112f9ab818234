using System.Diagnostics;

namespace Vks.Runtime.Machines;

/// <content>The driver: the one task that changes state.</content>
public sealed partial class Machine
{
    private readonly List<TaskCompletionSource> _startWaiters = [];
    private readonly List<TaskCompletionSource> _stopWaiters = [];
    private readonly List<TaskCompletionSource> _removeWaiters = [];
    private readonly CancellationTokenSource _giveUpStart = new();
    private Task _startWork = Task.CompletedTask;
    private Task _cleanWork = Task.CompletedTask;

    /// <summary>Cleaning has begun and its event has not been handled. The task does not tell: it completes a moment after its event is seen.</summary>
    private bool _cleaning;
    private TimeSpan _grace;

    /// <summary>Why the machine is going down: null until something decided that. The first reason wins.</summary>
    private Abort? _abort;

    private async Task RunAsync()
    {
        try
        {
            await DecideAsync();
        }
        catch (Exception exception)
        {
            DriverFailed(exception, Id);
        }

        await FinishAsync();
    }

    private async Task DecideAsync()
    {
        Task<bool> events = _events.Reader.WaitToReadAsync(CancellationToken.None).AsTask();
        Task<bool> requests = _requests.Reader.WaitToReadAsync(CancellationToken.None).AsTask();
        var letGo = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using (_letGo.Token.Register(letGo.SetResult))
        {
            while (Current.State != MachineState.Removed && !_letGo.IsCancellationRequested)
            {
                // Events first: a request is decided on what is, not on what was before the queue.
                if (_events.Reader.TryRead(out MachineEvent? happened))
                {
                    Handle(happened);
                }
                else if (_requests.Reader.TryRead(out MachineRequest request))
                {
                    Handle(request);
                }
                else
                {
                    events = events.IsCompleted ? _events.Reader.WaitToReadAsync(CancellationToken.None).AsTask() : events;
                    requests = requests.IsCompleted ? _requests.Reader.WaitToReadAsync(CancellationToken.None).AsTask() : requests;
                    await Task.WhenAny(events, requests, letGo.Task);
                }
            }
        }
    }

    private void Handle(MachineRequest request)
    {
        switch (MachineAdmission.Decide(Current.State, _disks, request.Command))
        {
            case Admission.Refused refused:
                request.Done.SetException(new MachineException(refused.Fault, Id, $"{Describe(request.Command)} of machine {Id.Prefix} was refused. {refused.Reason}"));
                break;
            case Admission.Accepted:
                // What begins now belongs to the trace of who asked for it, and what the driver does later does not.
                Activity.Current = request.Asker;
                Begin(request);
                Activity.Current = null;
                break;
            case Admission.AlreadyAsked:
                Join(request);
                break;
            default:
                throw new UnreachableException("Unknown admission.");
        }
    }

    private void Begin(MachineRequest request)
    {
        switch (request.Command)
        {
            case MachineCommand.Start:
                _startWaiters.Add(request.Done);
                Publish(MachineState.Starting);
                _startWork = StartRunAsync();
                break;
            case MachineCommand.Stop stop:
                _stopWaiters.Add(request.Done);
                BeginStop(stop.Grace, Abort.Asked);
                break;
            case MachineCommand.AttachDisk attach:
                BeginAttach(attach.Disk, request.Done);
                break;
            case MachineCommand.DetachDisk detach:
                BeginDetach(detach.Serial, request.Done);
                break;
            case MachineCommand.Remove:
                _removeWaiters.Add(request.Done);
                BeginRemove();
                break;
            default:
                throw new UnreachableException($"Unknown command {request.Command.GetType().Name}.");
        }
    }

    private void Join(MachineRequest request)
    {
        switch (request.Command)
        {
            case MachineCommand.Start when Current.State == MachineState.Starting:
                _startWaiters.Add(request.Done);
                break;
            case MachineCommand.Stop stop when Current.State == MachineState.Stopping:
                _stopWaiters.Add(request.Done);
                HurryStop(stop.Grace);
                break;
            case MachineCommand.AttachDisk attach:
                FollowDiskWork(attach.Disk.Serial, attach: true, request.Done);
                break;
            case MachineCommand.DetachDisk detach:
                FollowDiskWork(detach.Serial, attach: false, request.Done);
                break;
            default:
                request.Done.SetResult();
                break;
        }
    }

    private void Handle(MachineEvent happened)
    {
        switch (happened)
        {
            case MachineEvent.Started started:
                HandleStarted(started.Run);
                break;
            case MachineEvent.StartFailed failed:
                HandleStartFailed(failed.Cause);
                break;
            case MachineEvent.QemuEnded ended:
                HandleEnded(ended.How);
                break;
            case MachineEvent.GuestLost lost when Current.State == MachineState.Running:
                BeginStop(TimeSpan.Zero, new Abort($"The agent's channel broke while QEMU ran, so QEMU was killed. {lost.Why}"));
                break;
            case MachineEvent.GuestLost:
                break;
            case MachineEvent.KillFailed failed:
                _stopping = false;
                KillFailed(Id, failed.Cause.Message);
                Fail(_stopWaiters, failed.Cause);
                Fail(_removeWaiters, failed.Cause);
                break;
            case MachineEvent.DiskFailed failed:
                HandleDiskFailed(failed.Disk, failed.Work);
                break;
            case MachineEvent.Cleaned { Cause: null }:
                _cleaning = false;
                Publish(MachineState.Removed);
                Complete(_removeWaiters);
                break;
            case MachineEvent.Cleaned cleaned:
                _cleaning = false;
                Fail(_removeWaiters, cleaned.Cause!);
                break;
            default:
                throw new UnreachableException($"Unknown event {happened.GetType().Name}.");
        }
    }

    private void HandleStarted(IMachineRun run)
    {
        Volatile.Write(ref _run, run);
        Watch(run);
        if (Current.State == MachineState.Starting)
        {
            Publish(RunningSnapshot(run, Current.Generation + 1));
            Complete(_startWaiters);
            return;
        }

        // A stop was asked for, but the start was past the point where it could be given up.
        BeginStopWork(run);
    }

    private void HandleStartFailed(Exception cause)
    {
        bool asked = Current.State == MachineState.Stopping;
        Fail(_startWaiters, asked ? StoppedWhileStarting(cause) : cause);
        ReachStopped(asked ? null : cause.Message);
    }

    private void HandleEnded(string how)
    {
        _abort ??= new Abort($"QEMU of machine {Id.Prefix} {how} although nobody asked it to.");
        ReachStopped(_abort.Reason is null ? null : WithConsole(_abort.Reason));
    }

    private void ReachStopped(string? reason)
    {
        Publish(Current with { State = MachineState.Stopped, QemuPid = 0, Reason = reason });
        Volatile.Write(ref _disks, _disks.Clear());
        _console.Complete();
        if (reason is not null)
        {
            StoppedByItself(Id, reason);
        }

        // Waiters of a start that succeeded after the stop was asked for.
        Fail(_startWaiters, StoppedWhileStarting(cause: null));
        Complete(_stopWaiters);
        if (_removeWaiters.Count > 0)
        {
            BeginClean();
        }
    }

    private void BeginRemove()
    {
        switch (Current.State)
        {
            case MachineState.Created:
                Publish(MachineState.Removed);
                Complete(_removeWaiters);
                break;
            case MachineState.Starting or MachineState.Running:
                BeginStop(TimeSpan.Zero, Abort.Asked);
                break;
            case MachineState.Stopping:
                HurryStop(TimeSpan.Zero);
                break;
            default:
                BeginClean();
                break;
        }
    }

    private void BeginClean()
    {
        if (!_cleaning)
        {
            _cleaning = true;
            _cleanWork = CleanAsync();
        }

        async Task CleanAsync()
        {
            Exception? cause = null;
            try
            {
                if (_run is { } run)
                {
                    await run.CleanAsync(_letGo.Token);
                }
            }
            catch (Exception exception)
            {
                cause = exception;
            }

            _events.Writer.TryWrite(new MachineEvent.Cleaned(cause));
        }
    }

    private async Task StartRunAsync()
    {
        using Activity? span = MachineTelemetry.BeginStart(Spec);
        long begin = _time.GetTimestamp();
        try
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(_giveUpStart.Token, _letGo.Token);
            IMachineRun run = await _backend.StartAsync(Spec, _console, either.Token);
            MachineTelemetry.Started(span, _time.GetElapsedTime(begin), run);
            _events.Writer.TryWrite(new MachineEvent.Started(run));
        }
        catch (Exception exception)
        {
            MachineTelemetry.StartFailed(span, exception);
            _events.Writer.TryWrite(new MachineEvent.StartFailed(exception));
        }
    }

    /// <summary>Turns the ends of QEMU and of the agent's channel into events.</summary>
    private void Watch(IMachineRun run)
    {
        run.Resumed += () => Resumed?.Invoke();
        _ = WatchQemuAsync();
        _ = WatchGuestAsync();

        async Task WatchQemuAsync()
        {
            string how = await run.Ended;
            _events.Writer.TryWrite(new MachineEvent.QemuEnded(how));
        }

        async Task WatchGuestAsync()
        {
            string why = await run.GuestLost;

            // When QEMU dies its sockets close a moment before the process ends; that is QEMU's story, not the agent's.
            await Task.WhenAny(run.Ended, Task.Delay(TimeSpan.FromMilliseconds(500), _time, _letGo.Token));
            if (!run.Ended.IsCompleted && !_letGo.IsCancellationRequested)
            {
                _events.Writer.TryWrite(new MachineEvent.GuestLost(why));
            }
        }
    }

    /// <summary>The driver's last act: nobody waits for ever, and what the machine holds is let go of.</summary>
    private async Task FinishAsync()
    {
        _requests.Writer.TryComplete();
        await _giveUpStart.CancelAsync();
        await _startWork;
        await _stopWork;
        await _diskLane;
        await _cleanWork;
        while (_events.Reader.TryRead(out MachineEvent? left))
        {
            _run = left is MachineEvent.Started started ? started.Run : _run;
        }

        _console.Complete();
        if (_run is not null)
        {
            await _run.DisposeAsync();
        }

        while (_requests.Reader.TryRead(out MachineRequest request))
        {
            if (IsMetByRemoval(request.Command))
            {
                request.Done.TrySetResult();
            }
            else
            {
                request.Done.TrySetException(Gone());
            }
        }

        Fail(_startWaiters, Gone());
        Fail(_stopWaiters, Gone());
        Fail(_removeWaiters, Gone());
        Volatile.Read(ref _publication).Next.TrySetException(Gone());
    }

    private void Publish(MachineState state) => Publish(Current with { State = state });

    private void Publish(MachineSnapshot snapshot)
    {
        Publication before = _publication;
        MachineState from = before.Snapshot.State;
        if (!MachineAdmission.MayBecome(from, snapshot.State))
        {
            throw new UnreachableException($"Machine {Id} cannot go from {from} to {snapshot.State}.");
        }

        MachineSnapshot next = snapshot with
        {
            Generation = before.Snapshot.Generation + 1,
            Since = snapshot.State == MachineState.Running ? snapshot.Since : _time.GetUtcNow(),
        };
        Volatile.Write(ref _publication, new Publication(next));
        StateChanged(Id, from, next.State);
        before.Next.SetResult(next);
    }

    private static void Complete(List<TaskCompletionSource> waiters)
    {
        waiters.ForEach(waiter => waiter.TrySetResult());
        waiters.Clear();
    }

    private static void Fail(List<TaskCompletionSource> waiters, Exception cause)
    {
        waiters.ForEach(waiter => waiter.TrySetException(cause));
        waiters.Clear();
    }

    /// <summary>Why a machine goes down; without a reason when somebody asked for it.</summary>
    private sealed record Abort(string? Reason)
    {
        internal static Abort Asked { get; } = new((string?)null);
    }
}
