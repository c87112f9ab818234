using System.Collections.Immutable;
using System.Diagnostics;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Vks.Runtime.Guest;

namespace Vks.Runtime.Machines;

/// <summary>One microVM, from the first request until its last resource is released.</summary>
/// <remarks>Only the driver (Machine.Driver.cs) changes state. Everyone else sends a command or reads <see cref="Current"/>.</remarks>
public sealed partial class Machine : IAsyncDisposable
{
    private readonly IMachineBackend _backend;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ConsoleLog _console;

    private readonly Channel<MachineRequest> _requests = Channel.CreateBounded<MachineRequest>(
        new BoundedChannelOptions(capacity: 32) { SingleReader = true });

    /// <summary>Unbounded, but a machine can only ever have a handful: one per operation the driver itself began.</summary>
    private readonly Channel<MachineEvent> _events = Channel.CreateUnbounded<MachineEvent>(
        new UnboundedChannelOptions { SingleReader = true });

    /// <summary>Cancelled when the engine lets go of the machine.</summary>
    private readonly CancellationTokenSource _letGo = new();
    private readonly Task _driver;
    private MachineSpec _spec;
    private Publication _publication;
    private IMachineRun? _run;
    private int _lettingGo;
    private long _clockOffsetTicks = long.MinValue;

    /// <summary>A new machine, or one taken back from an earlier daemon.</summary>
    internal Machine(MachineSpec spec, IMachineBackend backend, ConsoleLog console, TimeProvider time, ILogger logger, IMachineRun? adopted = null)
    {
        _spec = spec;
        _backend = backend;
        _console = console;
        _time = time;
        _logger = logger;
        _publication = new Publication(new MachineSnapshot { State = MachineState.Created, Generation = 0, Since = time.GetUtcNow() });
        if (adopted is not null)
        {
            _run = adopted;
            _disks = adopted.Disks.ToImmutableDictionary(disk => disk.Serial);
            _publication = new Publication(RunningSnapshot(adopted, generation: 1));
            Watch(adopted);
        }

        // The driver outlives the call that made the machine, so it must not be part of that call's trace.
        using (ExecutionContext.SuppressFlow())
        {
            _driver = Task.Run(RunAsync);
        }
    }

    /// <summary>Its name.</summary>
    public MachineId Id => Spec.Id;

    /// <summary>What it was asked to be.</summary>
    public MachineSpec Spec => Volatile.Read(ref _spec);

    /// <summary>The latest published state; safe to read from any thread.</summary>
    public MachineSnapshot Current => Volatile.Read(ref _publication).Snapshot;

    /// <summary>The disks plugged in or on their way in, the scratch disk left out.</summary>
    public IReadOnlyCollection<DiskAttachment> Disks => [.. Volatile.Read(ref _disks).Values];

    /// <summary>The agent of a running machine.</summary>
    /// <exception cref="MachineException"><see cref="MachineFault.WrongState"/>: it is not running.</exception>
    public GuestClient Guest
    {
        get
        {
            MachineState state = Current.State;
            return state == MachineState.Running && Volatile.Read(ref _run) is { } run
                ? run.Guest
                : throw new MachineException(MachineFault.WrongState, Id, $"The agent of machine {Id.Prefix} answers while it is Running; it is {state}.");
        }
    }

    /// <summary>Sets how much the machine gets when the host's CPUs are scarce, against its neighbours. Its vCPUs stay as many as they are.</summary>
    /// <param name="shares">On the scale of cgroup v1, 2 to 262144.</param>
    /// <returns>Null when that is in force, else why it cannot be.</returns>
    public string? SetCpuShares(long shares) =>
        Current.State == MachineState.Running && Volatile.Read(ref _run) is { } run ? run.SetCpuShares(shares) : $"the machine is {Current.State}";

    /// <summary>Makes a spare machine (<see cref="MachineSpec.Spare"/>) its taker's: from now on it outlives the daemon, with the weight of any other.</summary>
    /// <param name="labels">What its owner wants to find again.</param>
    /// <exception cref="MachineException"><see cref="MachineFault.WrongState"/>: it does not run any more, or is nobody's spare.</exception>
    public void Claim(IReadOnlyDictionary<string, string> labels)
    {
        MachineSpec spare = Spec;
        if (!spare.Spare || Current.State != MachineState.Running || Volatile.Read(ref _run) is not { } run)
        {
            throw new MachineException(MachineFault.WrongState, Id, $"Machine {Id.Prefix} cannot be taken: it is {(spare.Spare ? Current.State.ToString() : "somebody's already")}.");
        }

        MachineSpec taken = spare with { Spare = false, Labels = labels };
        run.Claim(taken);
        Volatile.Write(ref _spec, taken);
    }

    /// <summary>How far the guest's clock was ahead of the host's when it was last looked at, before it was put right; null before the first look.</summary>
    public TimeSpan? ClockOffset
    {
        get => Volatile.Read(ref _clockOffsetTicks) is var ticks and not long.MinValue ? TimeSpan.FromTicks(ticks) : null;
        internal set => Volatile.Write(ref _clockOffsetTicks, value?.Ticks ?? long.MinValue);
    }

    /// <summary>Raised when the guest's CPUs go on after they stood still; handlers must not block.</summary>
    internal event Action? Resumed;

    /// <summary>The last lines of the guest's console, oldest first; at most 200.</summary>
    public IReadOnlyList<string> ConsoleTail => _console.Tail;

    /// <summary>Streams console output from now on until the machine stops.</summary>
    public IAsyncEnumerable<string> ReadConsoleAsync(CancellationToken cancellationToken) => _console.ReadAsync(cancellationToken);

    /// <summary>Completes with the first snapshot newer than <paramref name="generation"/>.</summary>
    /// <param name="generation">The last generation seen; -1 for the present one.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="MachineException"><see cref="MachineFault.MachineGone"/>: it is Removed or let go of, so nothing newer will come.</exception>
    public Task<MachineSnapshot> WaitForChangeAsync(long generation, CancellationToken cancellationToken)
    {
        Publication publication = Volatile.Read(ref _publication);
        return publication.Snapshot.Generation > generation
            ? Task.FromResult(publication.Snapshot)
            : publication.Next.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Plugs a disk in; the guest sees it when this completes or shortly after. The same disk twice is no error.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="cancellationToken">Ends the waiting; the plugging goes on.</param>
    /// <exception cref="MachineException"><see cref="MachineFault.DiskFailed"/>, <see cref="MachineFault.WrongState"/>, <see cref="MachineFault.InvalidSpec"/>.</exception>
    public async Task AttachDiskAsync(DiskAttachment disk, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(disk);
        if (MachineSpecRules.FaultsOf(disk) is { Count: > 0 } faults)
        {
            throw new MachineException(MachineFault.InvalidSpec, Id, $"Disk for machine {Id.Prefix}: {string.Join("; ", faults)}.");
        }

        await SendAsync(new MachineCommand.AttachDisk(disk), cancellationToken);
    }

    /// <summary>Unplugs a disk; an unknown serial is no error. Unmount it in the guest first.</summary>
    /// <param name="serial">The disk's serial.</param>
    /// <param name="cancellationToken">Ends the waiting; the unplugging goes on.</param>
    /// <exception cref="MachineException"><see cref="MachineFault.DiskFailed"/>, <see cref="MachineFault.WrongState"/>.</exception>
    public Task DetachDiskAsync(string serial, CancellationToken cancellationToken) =>
        SendAsync(new MachineCommand.DetachDisk(serial), cancellationToken);

    /// <summary>Asks the guest to power off and completes once the machine is Stopped; kills QEMU after the grace period.</summary>
    /// <param name="grace">Time the guest may take; zero kills at once. A later, shorter one shortens an earlier one.</param>
    /// <param name="cancellationToken">Ends the waiting; the stop itself goes on.</param>
    /// <exception cref="MachineException"><see cref="MachineFault.KillFailed"/>: QEMU outlived SIGKILL by 3 s.</exception>
    public Task StopAsync(TimeSpan grace, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(grace, TimeSpan.Zero);
        return SendAsync(new MachineCommand.Stop(grace), cancellationToken);
    }

    /// <summary>Starts it; completes when the agent answers.</summary>
    internal Task StartAsync(CancellationToken cancellationToken) => SendAsync(new MachineCommand.Start(), cancellationToken);

    /// <summary>Ends it at once if it runs and deletes all it had.</summary>
    internal Task RemoveAsync(CancellationToken cancellationToken) => SendAsync(new MachineCommand.Remove(), cancellationToken);

    /// <summary>Lets go: the driver ends, a start under way is undone, a running machine runs on. May be called twice.</summary>
    internal async Task LetGoAsync()
    {
        if (Interlocked.Exchange(ref _lettingGo, 1) == 0)
        {
            await _letGo.CancelAsync();
        }

        await _driver;
    }

    /// <summary>The engine lets go of its machines itself; this is what it does then.</summary>
    async ValueTask IAsyncDisposable.DisposeAsync() => await LetGoAsync();

    private async Task SendAsync(MachineCommand command, CancellationToken cancellationToken)
    {
        var request = new MachineRequest(command, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), Activity.Current);
        try
        {
            await _requests.Writer.WriteAsync(request, cancellationToken);
        }
        catch (ChannelClosedException)
        {
            if (IsMetByRemoval(command))
            {
                return;
            }

            throw Gone();
        }

        await request.Done.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Whether the machine is removed, and the command wants no more than that.</summary>
    private bool IsMetByRemoval(MachineCommand command) =>
        Current.State == MachineState.Removed && command is MachineCommand.Remove or MachineCommand.Stop or MachineCommand.DetachDisk;

    private MachineException Gone() => new(MachineFault.MachineGone, Id, $"Machine {Id.Prefix} is gone: it was removed, or this daemon is ending.");

    private static MachineSnapshot RunningSnapshot(IMachineRun run, long generation) => new()
    {
        State = MachineState.Running,
        Generation = generation,
        Since = run.Since,
        QemuPid = run.QemuPid,
        KernelRelease = run.KernelRelease,
        Template = run.Template,
        Stages = run.Stages,
    };

    /// <summary>A command, where its outcome goes, and the span of who asked.</summary>
    private readonly record struct MachineRequest(MachineCommand Command, TaskCompletionSource Done, Activity? Asker);

    /// <summary>A snapshot and the promise of the one after it.</summary>
    private sealed class Publication(MachineSnapshot snapshot)
    {
        internal MachineSnapshot Snapshot { get; } = snapshot;

        internal TaskCompletionSource<MachineSnapshot> Next { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
