using Vks.Runtime.Guest;
using Vks.Runtime.Machines;
using Vks.Spherelet.Network;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Machines;

/// <summary>One machine that is kept running: started when it is to run and does not, taken back from an earlier daemon, ended in order when it is to stop.</summary>
/// <remarks>
/// Only the loop (<see cref="LoopAsync"/>) starts and ends machines; everyone else changes the record and wakes it. A machine outlives the daemon: what
/// it is to be is on disk before it starts, and who starts anew takes it back by facts (the engine's adoption), or starts it again.
/// </remarks>
internal sealed partial class KeptMachine(
    KeptMachineRecord record, KeptMachineStore store, KeptMachineGuest guest, CrxEngine engine, TimeProvider time, ILogger<KeptMachine> logger) : IAsyncDisposable
{
    /// <summary>Time the program may take to end in order: a member gives its parts 75 s.</summary>
    public static readonly TimeSpan DefaultGrace = TimeSpan.FromSeconds(90);

    private static readonly TimeSpan s_longRun = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan s_leastDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_mostDelay = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_powerOff = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly CancellationTokenSource _ending = new();
    private KeptMachineRecord _record = record;
    private KeptMachineState _state = new(record.ShouldRun ? KeptMachinePhase.Starting : KeptMachinePhase.Stopping, time.GetUtcNow(), 0, "");
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _wished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TimeSpan _grace = DefaultGrace;
    private int _failures;
    private Task _loop = Task.CompletedTask;

    /// <summary>What is kept of it.</summary>
    public KeptMachineRecord Record => Volatile.Read(ref _record);

    /// <summary>How it is.</summary>
    public KeptMachineState State => Volatile.Read(ref _state);

    /// <summary>The engine's machine, or null when there is none.</summary>
    public Machine? Machine => engine.Find(MachineId.Parse(Record.Id));

    /// <summary>Begins. Once; after the engine's adoption.</summary>
    public void Begin() => _loop = Task.Run(LoopAsync);

    /// <summary>Completes when the loop has looked at a machine that is not to run.</summary>
    public Task SettledAsync(CancellationToken cancellationToken) => WaitAsync(state => Record.ShouldRun || state.Phase == KeptMachinePhase.Stopped, cancellationToken);

    /// <summary>Changes what it is to be, while it is stopped.</summary>
    /// <param name="settings">What it is to be.</param>
    /// <param name="cancellationToken">Ends the waiting for others who change it.</param>
    /// <exception cref="KeptMachineException"><see cref="KeptMachineFault.WrongState"/>: it is not stopped, or its disk would have another size.</exception>
    public async Task SetAsync(KeptMachineSettings settings, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            if (Record.Settings.SaysTheSameAs(settings))
            {
                return;
            }

            if (Record.ShouldRun || State.Phase != KeptMachinePhase.Stopped)
            {
                throw new KeptMachineException(KeptMachineFault.WrongState, Record.Name, $"Machine {Record.Name} is {State.Phase} and is to be something else. Stop it first.");
            }

            if (Record.Settings.DiskMiB != settings.DiskMiB)
            {
                throw new KeptMachineException(
                    KeptMachineFault.WrongState, Record.Name, $"Machine {Record.Name} has a disk of {Record.Settings.DiskMiB} MiB; it cannot become one of {settings.DiskMiB} MiB. Delete the machine, which deletes the disk, or leave the size.");
            }

            Change(present => present with { Settings = settings });
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Has it run, from now on; completes when it runs, or its try has failed.</summary>
    /// <exception cref="KeptMachineException"><see cref="KeptMachineFault.NotUp"/>: the try failed; more follow.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        int failures = Volatile.Read(ref _failures);
        await WishAsync(true, DefaultGrace, cancellationToken);
        await WaitAsync(state => state.Phase == KeptMachinePhase.Running || Volatile.Read(ref _failures) != failures || !Record.ShouldRun, cancellationToken);
        if (State.Phase != KeptMachinePhase.Running)
        {
            throw new KeptMachineException(KeptMachineFault.NotUp, Record.Name, Record.ShouldRun ? State.LastEnd : $"Machine {Record.Name}: it was told to stop meanwhile.");
        }
    }

    /// <summary>Has it stop, and stay so; completes when it is stopped.</summary>
    /// <param name="grace">Time its program may take.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public async Task StopAsync(TimeSpan grace, CancellationToken cancellationToken)
    {
        await WishAsync(false, grace, cancellationToken);
        await WaitAsync(state => state.Phase == KeptMachinePhase.Stopped || Record.ShouldRun, cancellationToken);
    }

    /// <summary>A file of its persistent disk; null when it is not there.</summary>
    /// <exception cref="KeptMachineException"><see cref="KeptMachineFault.WrongState"/>: the machine does not run.</exception>
    public Task<byte[]?> ReadFileAsync(string path, CancellationToken cancellationToken) =>
        Record.ContainerId is { } container && Machine is { Current.State: MachineState.Running } machine
            ? KeptMachineGuest.ReadFileAsync(Record.Name, machine, container, path, cancellationToken)
            : throw new KeptMachineException(KeptMachineFault.WrongState, Record.Name, $"Machine {Record.Name} is {State.Phase}; a file of its disk can be read while it runs.");

    /// <summary>Lets go: the machine runs on.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_ending.IsCancellationRequested)
        {
            await _ending.CancelAsync();
            await _loop;
            _gate.Dispose();
            _ending.Dispose();
        }
    }

    private async Task WishAsync(bool run, TimeSpan grace, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            _grace = grace;
            if (Record.ShouldRun != run)
            {
                Change(present => present with { ShouldRun = run });
            }

            Tell(ref _wished);
        }
        finally
        {
            _gate.Release();
        }
    }

    private async Task LoopAsync()
    {
        try
        {
            while (true)
            {
                Task wished = Volatile.Read(ref _wished).Task;
                if (!Record.ShouldRun)
                {
                    if (await TryEndAsync(_ending.Token))
                    {
                        await wished.WaitAsync(_ending.Token);
                    }

                    continue;
                }

                long begin = time.GetTimestamp();
                if (await RunAsync(_ending.Token) is not { } end)
                {
                    continue;
                }

                // A run that was long says nothing against the next one.
                int failures = time.GetElapsedTime(begin) > s_longRun ? 1 : _failures + 1;
                TimeSpan delay = TimeSpan.FromTicks(Math.Min(s_mostDelay.Ticks, s_leastDelay.Ticks << Math.Min(failures - 1, 10)));
                Ended(Record.Name, end, delay.TotalSeconds);
                Volatile.Write(ref _failures, failures);
                Say(KeptMachinePhase.Starting, end);
                await Task.WhenAny(wished, Task.Delay(delay, time, _ending.Token));
                _ending.Token.ThrowIfCancellationRequested();
            }
        }
        catch (OperationCanceledException) when (_ending.IsCancellationRequested)
        {
            // The daemon ends; the machine goes on.
        }
    }

    /// <summary>Runs it until its end.</summary>
    /// <returns>How it ended, or why it did not come up; null when it was to stop.</returns>
    private async Task<string?> RunAsync(CancellationToken ending)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(ending);
        Task unwished = CancelWhenUnwishedAsync(stop);
        try
        {
            Machine machine = Machine is { Current.State: MachineState.Running } found && Record.ContainerId is not null ? TakenBack(found) : await StartOnceAsync(stop.Token);
            Say(KeptMachinePhase.Running, State.LastEnd);
            string? end = await guest.EndAsync(machine, Record.ContainerId!, stop.Token);
            end ??= machine.Current.Reason ?? "the machine ended, or its guest forgot its program";
            await ClearAsync(CancellationToken.None);
            return end;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            ending.ThrowIfCancellationRequested();
            return null;
        }
        catch (Exception problem) when (problem is KeptMachineException or MachineException or GuestException or NetworkException or IOException or UnauthorizedAccessException)
        {
            return problem.Message;
        }
        finally
        {
            await stop.CancelAsync();
            await unwished;
        }
    }

    private async Task CancelWhenUnwishedAsync(CancellationTokenSource stop)
    {
        try
        {
            while (Record.ShouldRun)
            {
                Task wished = Volatile.Read(ref _wished).Task;
                if (Record.ShouldRun)
                {
                    await wished.WaitAsync(stop.Token);
                }
            }

            await stop.CancelAsync();
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The run has ended by itself.
        }
    }

    private Machine TakenBack(Machine machine)
    {
        Adopted(Record.Name, Record.Id, machine.Current.QemuPid);
        return machine;
    }

    /// <summary>Starts it; on failure nothing of it is left but its disk.</summary>
    private async Task<Machine> StartOnceAsync(CancellationToken cancellationToken)
    {
        long begin = time.GetTimestamp();
        Volatile.Write(ref _state, State with { Starts = State.Starts + 1 });
        Say(KeptMachinePhase.Starting, State.LastEnd);
        await ClearAsync(cancellationToken);
        UndoStack undo = new(Record.Id, logger);
        try
        {
            undo.Push("the machine and its place on the link", ClearAsync);
            await store.EnsureDiskAsync(Record.Name, Record.Settings.DiskMiB, cancellationToken);
            NetworkAttachment plug = await HostLinkNetwork.JoinAsync(Record.Id, Record.Settings.Link, Record.Mac, cancellationToken);
            AcceleratorReport accelerator = await engine.GetAcceleratorAsync(cancellationToken);
            Machine machine = await engine.CreateAsync(Spec(Record, plug, accelerator.IsKvm), cancellationToken);
            string container = await guest.BeginAsync(Record, machine, cancellationToken);
            Change(present => present with { ContainerId = container });
            undo.Clear();
            Started(Record.Name, machine.Spec.VcpuCount, Record.Settings.MemoryMiB, string.Join(' ', Record.Settings.Addresses), time.GetElapsedTime(begin).TotalSeconds);
            return machine;
        }
        finally
        {
            await undo.UndoAsync();
        }
    }

    /// <summary>Ends it, and says so; what the host does not let go is tried again a little later.</summary>
    private async Task<bool> TryEndAsync(CancellationToken ending)
    {
        try
        {
            await EndAsync(ending);
            Say(KeptMachinePhase.Stopped, State.LastEnd);
            return true;
        }
        catch (Exception problem) when (problem is MachineException or NetworkException or IOException or UnauthorizedAccessException)
        {
            NotEnded(Record.Name, problem);
            Say(State.Phase, problem.Message);
            await Task.Delay(s_leastDelay, time, ending);
            return false;
        }
    }

    /// <summary>Ends the program in order, then the machine. Nothing to end is no error.</summary>
    private async Task EndAsync(CancellationToken ending)
    {
        if (Machine is { Current.State: MachineState.Running } machine)
        {
            Say(KeptMachinePhase.Stopping, State.LastEnd);
            if (Record.ContainerId is { } container)
            {
                using CancellationTokenSource patience = new(_grace, time);
                using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, ending);
                try
                {
                    await KeptMachineGuest.TellToEndAsync(machine, container, either.Token);
                    await guest.EndAsync(machine, container, either.Token);
                }
                catch (OperationCanceledException) when (!ending.IsCancellationRequested)
                {
                    GraceOver(Record.Name, _grace.TotalSeconds);
                }
            }

            await machine.StopAsync(s_powerOff, ending);
            Stopped(Record.Name);
        }

        await ClearAsync(ending);
    }

    /// <summary>Takes away what a life of it leaves on the host; its disk stays.</summary>
    private async Task ClearAsync(CancellationToken cancellationToken)
    {
        await engine.RemoveAsync(MachineId.Parse(Record.Id), cancellationToken);
        await HostLinkNetwork.RemoveAsync(Record.Id, cancellationToken);
        if (Record.ContainerId is not null)
        {
            Change(present => present with { ContainerId = null });
        }
    }

    /// <summary>
    /// Isolated: its memory holds the keys of a control plane, so no page of it is shared, and none came from a template. Under software emulation the
    /// CPUs of a guest take turns on one thread and only wait for each other, so there it is one.
    /// </summary>
    private static MachineSpec Spec(KeptMachineRecord record, NetworkAttachment plug, bool isKvm) => new()
    {
        Id = MachineId.Parse(record.Id),
        VcpuCount = isKvm ? record.Settings.VcpuCount : 1,
        MemoryMiB = record.Settings.MemoryMiB,
        TranslationMiB = KeptMachineOptions.TranslationMiB,
        Network = plug with { Mac = record.Mac },
        ScratchMiB = KeptMachineOptions.ScratchMiB,
        Isolated = true,
        Labels = new Dictionary<string, string> { ["vks.kept"] = record.Name },
    };

    private async Task WaitAsync(Func<KeptMachineState, bool> holds, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed = Volatile.Read(ref _changed).Task;
            if (holds(State))
            {
                return;
            }

            await changed.WaitAsync(cancellationToken);
        }
    }

    private void Change(Func<KeptMachineRecord, KeptMachineRecord> change)
    {
        KeptMachineRecord changed = change(Record);
        store.Save(changed);
        Volatile.Write(ref _record, changed);
    }

    private void Say(KeptMachinePhase phase, string lastEnd)
    {
        KeptMachineState state = State;
        Volatile.Write(ref _state, state with { Phase = phase, Since = state.Phase == phase ? state.Since : time.GetUtcNow(), LastEnd = lastEnd });
        Tell(ref _changed);
    }

    private static void Tell(ref TaskCompletionSource what) => Interlocked.Exchange(ref what, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();

    [LoggerMessage(3800, LogLevel.Information, "Machine {Name} runs: {VcpuCount} vCPU, {MemoryMiB} MiB, {Addresses}; its program had its files after {Seconds:0.0} s")]
    private partial void Started(string name, int vcpuCount, int memoryMiB, string addresses, double seconds);

    [LoggerMessage(3801, LogLevel.Warning, "Machine {Name}: {End}; it is started again in {Seconds:0} s")]
    private partial void Ended(string name, string end, double seconds);

    [LoggerMessage(3802, LogLevel.Information, "Machine {Name} stopped")]
    private partial void Stopped(string name);

    [LoggerMessage(3803, LogLevel.Information, "Machine {Name} taken back: {MachineId}, QEMU {ProcessId}")]
    private partial void Adopted(string name, string machineId, int processId);

    [LoggerMessage(3805, LogLevel.Error, "Machine {Name} could not be ended; it is tried again")]
    private partial void NotEnded(string name, Exception problem);

    [LoggerMessage(3804, LogLevel.Warning, "Machine {Name}: its program did not end within {Seconds:0} s and is ended with the machine")]
    private partial void GraceOver(string name, double seconds);
}
