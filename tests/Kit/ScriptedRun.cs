using Vks.Runtime.Guest;
using Vks.Runtime.Machines;

namespace Vks.Tests.Kit;

/// <summary>A run of no QEMU at all: notes what it is asked and ends when the script says so.</summary>
internal sealed class ScriptedRun : IMachineRun
{
    private readonly TaskCompletionSource<string> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<string> _guestLost = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private readonly List<string> _calls = [];

    public event Action? Resumed;

    public string? EndsOn { get; set; }

    public Exception? DiskFault { get; set; }

    /// <summary>What cleaning fails with; null: it succeeds.</summary>
    public Exception? CleanFault { get; set; }

    /// <summary>Runs within the driver, while it begins to clean.</summary>
    public Action? OnClean { get; set; }

    public TaskCompletionSource PowerOffAsked { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public IReadOnlyList<string> Calls
    {
        get
        {
            lock (_lock)
            {
                return [.. _calls];
            }
        }
    }

    public int QemuPid => 4711;

    public string KernelRelease => "6.1";

    public string? Template => null;

    public DateTimeOffset Since => DateTimeOffset.UnixEpoch;

    public IReadOnlyList<StageTime> Stages => [];

    public IReadOnlyList<DiskAttachment> Disks => [];

    /// <summary>The agent, when the script has one.</summary>
    public GuestClient? Agent { get; set; }

    public GuestClient Guest => Agent ?? throw new NotSupportedException("The script has no agent.");

    public Task<string> Ended => _ended.Task;

    public Task<string> GuestLost => _guestLost.Task;

    public void Resume() => Resumed?.Invoke();

    public void End(string how) => _ended.TrySetResult(how);

    public void LoseGuest(string why) => _guestLost.TrySetResult(why);

    public string? SetCpuShares(long shares) => null;

    public void Claim(MachineSpec spec) => Note("claim");

    public Task AskPowerOffAsync(CancellationToken cancellationToken)
    {
        Note("poweroff");
        PowerOffAsked.TrySetResult();
        return Task.CompletedTask;
    }

    public void Terminate() => Note("terminate");

    public void Kill() => Note("kill");

    public Task PlugAsync(DiskAttachment disk, CancellationToken cancellationToken) => DiskWork("plug " + disk.Serial);

    public Task UnplugAsync(string serial, CancellationToken cancellationToken) => DiskWork("unplug " + serial);

    public Task CleanAsync(CancellationToken cancellationToken)
    {
        OnClean?.Invoke();
        if (CleanFault is not null)
        {
            return Task.FromException(CleanFault);
        }

        Note("clean");
        return Task.CompletedTask;
    }

    public ValueTask DisposeAsync()
    {
        if (Calls is not [.., "clean"])
        {
            Note("let go");
        }

        return ValueTask.CompletedTask;
    }

    private Task DiskWork(string call)
    {
        if (DiskFault is not null)
        {
            return Task.FromException(DiskFault);
        }

        Note(call);
        return Task.CompletedTask;
    }

    private void Note(string call)
    {
        lock (_lock)
        {
            _calls.Add(call);
        }

        if (call == EndsOn)
        {
            End("ended on " + call);
        }
    }
}
