using System.Diagnostics;

namespace Vks.Spherelet.Pods;

/// <summary>One container: what is kept of it, its log, and the task that follows it in the guest.</summary>
internal sealed class Container(ContainerRecord record, PodSandbox sandbox, PodStore store, PodEvents events, IPodHooks hooks) : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _letGo = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ContainerRecord _record = record;
    private Task _following = Task.CompletedTask;
    private bool _forgotten;

    /// <summary>64 hex digits.</summary>
    public string Id => _record.Id;

    /// <summary>The pod it lives in.</summary>
    public PodSandbox Sandbox => sandbox;

    /// <summary>What is kept of it; its phase follows from it.</summary>
    public ContainerRecord Record => Volatile.Read(ref _record);

    /// <summary>Completes once the end of its program is known and kept.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Completes once everyone who has a say was told that it ended; complete before.</summary>
    public Task EndTold { get; private set; } = Task.CompletedTask;

    /// <summary>Its log, from its start on.</summary>
    public ContainerLog? Log { get; private set; }

    /// <summary>Its output for whoever is attached.</summary>
    public ContainerOutput Output { get; } = new();

    /// <summary>Changes the record, keeps it, and tells when the container began or ended to run.</summary>
    public void Change(Func<ContainerRecord, ContainerRecord> change)
    {
        ContainerPhase before;
        lock (_lock)
        {
            before = _record.Phase;
            ContainerRecord changed = change(_record);
            if (!_forgotten)
            {
                store.Save(changed);
            }

            Volatile.Write(ref _record, changed);
        }

        ContainerPhase now = Record.Phase;
        if (now != before)
        {
            events.Publish(now == ContainerPhase.Exited ? PodEventKind.Stopped : PodEventKind.Started, Id, sandbox);
        }

        if (now == ContainerPhase.Exited && before != now)
        {
            EndTold = hooks.ContainerStoppedAsync(this);
            _ended.TrySetResult();
        }
    }

    /// <summary>Starts the task that follows the container in the guest.</summary>
    /// <param name="log">Where its output goes; disposed with the container.</param>
    /// <param name="follow">The task; ends when its token does.</param>
    public void Follow(ContainerLog log, Func<CancellationToken, Task> follow)
    {
        Log = log;

        // The container outlives the call that started it, so following it is no part of that call's trace.
        Activity? caller = Activity.Current;
        Activity.Current = null;
        _following = follow(_letGo.Token);
        Activity.Current = caller;
    }

    /// <summary>Marks an end that was known before this daemon started.</summary>
    public void NoteEnded() => _ended.TrySetResult();

    /// <summary>Deletes what is kept; later changes stay in memory.</summary>
    public void Forget()
    {
        lock (_lock)
        {
            _forgotten = true;
            store.DeleteContainer(_record.PodId, _record.Id);
        }
    }

    /// <summary>Stops following it; the container itself goes on.</summary>
    public async ValueTask DisposeAsync()
    {
        await _letGo.CancelAsync();
        await _following;
        if (Log is { } log)
        {
            await log.DisposeAsync();
        }

        _letGo.Dispose();
    }
}
