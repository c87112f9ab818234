using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Vks.Runtime.Host;
using Vks.Runtime.Templates;

namespace Vks.Runtime.Machines;

/// <summary>The CRX engine: creates, adopts, lists and removes the microVMs of one host.</summary>
public sealed class CrxEngine : IAsyncDisposable
{
    private readonly TimeProvider _time;
    private readonly ILogger _machineLogger;
    private readonly CrxBackend _backend;
    private readonly MachineAdopter _adopter;
    private readonly AcceleratorProbe _probe;
    private readonly TemplateKeeper _templates;
    private readonly ConcurrentDictionary<MachineId, Machine> _machines = new();
    private readonly CrxEngineOptions _options;
    private readonly EngineMeter _meter;
    private readonly ClockKeeper _clocks;
    private volatile bool _disposed;

    /// <summary>Reads nothing and starts nothing yet.</summary>
    /// <param name="options">Folders, programs and limits.</param>
    /// <param name="time">Clock of timeouts and snapshots.</param>
    /// <param name="loggers">For every part of the engine.</param>
    /// <param name="rehearsal">What guests that become templates are taken through; null for nothing.</param>
    public CrxEngine(CrxEngineOptions options, TimeProvider time, ILoggerFactory loggers, ITemplateRehearsal? rehearsal = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        (_options, _time) = (options, time);
        _machineLogger = loggers.CreateLogger<Machine>();
        var userIds = new UserIdPool(options.FirstUserId);
        _probe = new AcceleratorProbe(options, time, loggers.CreateLogger<AcceleratorProbe>());
        _templates = new TemplateKeeper(options, BootTemplateAsync, rehearsal, time, loggers.CreateLogger<TemplateKeeper>());
        _backend = new CrxBackend(options, userIds, GetAcceleratorAsync, _templates, time, loggers);
        _adopter = new MachineAdopter(options, userIds, time, loggers);
        _meter = new EngineMeter(() => _machines.Values);
        _clocks = new ClockKeeper(options.ClockInterval, static wasSet => new HostClockWatch(wasSet), time, loggers.CreateLogger<ClockKeeper>());
    }

    /// <summary>All machines, in no order.</summary>
    public IReadOnlyCollection<Machine> Machines => [.. _machines.Values];

    /// <summary>The machine of that name, or null.</summary>
    public Machine? Find(MachineId id) => _machines.GetValueOrDefault(id);

    /// <summary>What the writable disks of all machines take.</summary>
    public ScratchUsage MeasureScratch() => ScratchUsage.Measure(_options);

    /// <summary>Where the writable disks of all machines are.</summary>
    public string ScratchDirectory => MachineFiles.StateRoot(_options);

    /// <summary>What a machine's QEMU takes of the host now; null when it does not run.</summary>
    /// <remarks>The kernel looks at every page of the process: a few milliseconds.</remarks>
    public HostUsage? MeasureHost(Machine machine)
    {
        ArgumentNullException.ThrowIfNull(machine);
        int pid = machine.Current.QemuPid;
        return pid == 0 ? null : HostUsage.Read(pid, new MachineFiles(_options, machine.Id).CgroupName);
    }

    /// <summary>Takes back the machines an earlier daemon left, and cleans away what cannot be taken back. Call once, first.</summary>
    /// <param name="cancellationToken">Ends the work; machines not yet looked at stay as they are.</param>
    public async Task AdoptAsync(CancellationToken cancellationToken)
    {
        foreach ((MachineSpec spec, CrxRun run, ConsoleLog console) in await _adopter.AdoptAllAsync(cancellationToken))
        {
            var machine = new Machine(spec, _backend, console, _time, _machineLogger, run);
            _machines[spec.Id] = machine;
            _clocks.Follow(machine, atOnce: true);
        }
    }

    /// <summary>Starts a machine and completes when its agent answers. On failure nothing is left.</summary>
    /// <param name="spec">What it is to be.</param>
    /// <param name="cancellationToken">Gives the start up and undoes it; the call ends when that is done.</param>
    /// <exception cref="MachineException">
    /// <see cref="MachineFault.InvalidSpec"/> with every fault, <see cref="MachineFault.AlreadyExists"/>, or why the start failed.
    /// </exception>
    public async Task<Machine> CreateAsync(MachineSpec spec, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(spec);
        if (MachineSpecRules.FaultsOf(spec) is { Count: > 0 } faults)
        {
            throw new MachineException(MachineFault.InvalidSpec, spec.Id, $"Machine {spec.Id} cannot be: {string.Join("; ", faults)}.");
        }

        ObjectDisposedException.ThrowIf(_disposed, this);
        var machine = new Machine(spec, _backend, new ConsoleLog(), _time, _machineLogger);
        if (!_machines.TryAdd(spec.Id, machine))
        {
            await machine.LetGoAsync();
            throw new MachineException(MachineFault.AlreadyExists, spec.Id, $"Machine {spec.Id} exists; remove it first or choose another id.");
        }

        if (_disposed)
        {
            // Added behind the back of DisposeAsync.
            await machine.LetGoAsync();
            throw new ObjectDisposedException(nameof(CrxEngine));
        }

        try
        {
            await machine.StartAsync(cancellationToken);
            _clocks.Follow(machine, atOnce: false);
            return machine;
        }
        catch
        {
            await ForgetAsync(machine, CancellationToken.None);
            throw;
        }
    }

    /// <summary>Stops the machine at once if it runs, and deletes all it had. An unknown id is no error.</summary>
    /// <param name="id">The machine.</param>
    /// <param name="cancellationToken">Ends the waiting; the removal goes on.</param>
    /// <exception cref="MachineException"><see cref="MachineFault.KillFailed"/>: QEMU outlived SIGKILL.</exception>
    public async Task RemoveAsync(MachineId id, CancellationToken cancellationToken)
    {
        if (_machines.TryGetValue(id, out Machine? machine))
        {
            await ForgetAsync(machine, cancellationToken);
        }
    }

    /// <summary>The accelerator in use; probes it when that has not happened since the host booted.</summary>
    /// <param name="cancellationToken">Ends the probing.</param>
    public Task<AcceleratorReport> GetAcceleratorAsync(CancellationToken cancellationToken) => _probe.GetAsync(BootOnceAsync, cancellationToken);

    /// <summary>Has a template made, or the one on disk checked, in the background, so that the first machine of that shape need not boot.</summary>
    /// <param name="shape">What the machines will ask for.</param>
    /// <param name="cancellationToken">Ends the waiting; what is under way goes on.</param>
    /// <returns>Whether machines of that shape can start from it now.</returns>
    public async Task<bool> WantTemplateAsync(TemplateShape shape, CancellationToken cancellationToken)
    {
        AcceleratorReport report = await GetAcceleratorAsync(cancellationToken);
        return await _templates.WantAsync(TemplateBuilder.SpecOf(shape), report.IsKvm).WaitAsync(cancellationToken);
    }

    /// <summary>Leaves the machines running and lets go of them. A start under way is undone.</summary>
    public async ValueTask DisposeAsync()
    {
        _disposed = true;
        _meter.Dispose();
        await _clocks.DisposeAsync();
        await _probe.DisposeAsync();
        await _templates.DisposeAsync();
        await Task.WhenAll(_machines.Values.Select(machine => machine.LetGoAsync()));
        _machines.Clear();
    }

    private async Task ForgetAsync(Machine machine, CancellationToken cancellationToken)
    {
        await machine.RemoveAsync(cancellationToken);
        _machines.TryRemove(new KeyValuePair<MachineId, Machine>(machine.Id, machine));
        await machine.LetGoAsync();
    }

    private Task<CrxRun> BootTemplateAsync(MachineSpec spec, ConsoleLog console, BootPlan plan, CancellationToken cancellationToken) =>
        _backend.BootAsync(spec, console, plan, markStarted: false, cancellationToken);

    private async Task BootOnceAsync(MachineSpec spec, BootPlan plan, CancellationToken cancellationToken)
    {
        CrxRun run = await _backend.BootAsync(spec, new ConsoleLog(), plan, markStarted: false, cancellationToken);

        // From here on to the end, whoever has lost interest: what was booted must go.
        run.Kill();
        await run.Ended.WaitAsync(TimeSpan.FromSeconds(3), _time, CancellationToken.None);
        await run.CleanAsync(CancellationToken.None);
    }
}
