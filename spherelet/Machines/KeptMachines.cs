using System.Collections.Concurrent;
using System.Security.Cryptography;
using Vks.Runtime.Machines;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Machines;

/// <summary>All machines of the host that are kept running.</summary>
internal sealed partial class KeptMachines(
    KeptMachineStore store, KeptMachineGuest guest, CrxEngine engine, TimeProvider time, ILoggerFactory loggers) : IAsyncDisposable
{
    private readonly ILogger<KeptMachines> _logger = loggers.CreateLogger<KeptMachines>();
    private readonly ConcurrentDictionary<string, KeptMachine> _machines = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _gate = new(1, 1);

    /// <summary>All of them, by name.</summary>
    public IReadOnlyList<KeptMachine> All => [.. _machines.OrderBy(static pair => pair.Key, StringComparer.Ordinal).Select(static pair => pair.Value)];

    /// <summary>Takes back, or starts, those that are to run. Once, after the engine's adoption.</summary>
    public void Begin()
    {
        foreach (string name in store.Names)
        {
            try
            {
                Follow(store.Load(name));
            }
            catch (KeptMachineException problem)
            {
                // One broken record must not keep the daemon from its other work.
                NotLoaded(name, problem);
            }
        }
    }

    /// <summary>One of them.</summary>
    /// <exception cref="KeptMachineException"><see cref="KeptMachineFault.NotFound"/>.</exception>
    public KeptMachine Find(string name)
    {
        KeptMachineRules.CheckName(name);
        return _machines.TryGetValue(name, out KeptMachine? machine)
            ? machine
            : throw new KeptMachineException(KeptMachineFault.NotFound, name, $"There is no machine '{name}' on this host.");
    }

    /// <summary>Says what a machine is to be, and makes its disk.</summary>
    /// <exception cref="KeptMachineException">The name or settings are invalid, or it runs as something else.</exception>
    public async Task<KeptMachine> SetAsync(string name, KeptMachineSettings settings, CancellationToken cancellationToken)
    {
        KeptMachineRules.CheckName(name);
        if (KeptMachineRules.FaultsOf(settings) is { Count: > 0 } faults)
        {
            throw new KeptMachineException(KeptMachineFault.Invalid, name, $"Machine {name} cannot be: {string.Join("; ", faults)}.");
        }

        HostSize host = HostSize.Here;
        if (settings.MemoryMiB > host.MemoryMiB)
        {
            throw new KeptMachineException(KeptMachineFault.Invalid, name, $"Machine {name} is to have {settings.MemoryMiB} MiB; the host has {host.MemoryMiB}.");
        }

        await _gate.WaitAsync(cancellationToken);
        try
        {
            if (_machines.TryGetValue(name, out KeptMachine? present))
            {
                await present.SetAsync(settings, cancellationToken);
                return present;
            }

            if (store.Names.Contains(name))
            {
                // There, and not readable: its disk must not become somebody else's.
                store.Load(name);
            }

            await store.EnsureDiskAsync(name, settings.DiskMiB, cancellationToken);
            KeptMachineRecord record = new() { Name = name, Id = PodId.New(), Mac = NewMac(), Settings = settings };
            store.Save(record);
            Made(name, settings.DiskMiB, settings.Link);
            KeptMachine machine = Follow(record);
            await machine.SettledAsync(cancellationToken);
            return machine;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Keeps a file for a machine's next start.</summary>
    /// <exception cref="KeptMachineException">Name or path are invalid, or the file is too large.</exception>
    public async Task PutFileAsync(string name, string path, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        KeptMachineRules.CheckName(name);
        KeptMachineRules.CheckPath(name, path);
        if (content.Length > KeptMachineRules.MaxFileBytes)
        {
            throw new KeptMachineException(KeptMachineFault.Invalid, name, $"File {path} for machine {name} has {content.Length} bytes; {KeptMachineRules.MaxFileBytes} are the most.");
        }

        await _gate.WaitAsync(cancellationToken);
        try
        {
            store.PutFile(name, path, content.Span);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Forgets a stopped machine, with its disk. One that is not there is no error.</summary>
    /// <exception cref="KeptMachineException"><see cref="KeptMachineFault.WrongState"/>: it is not stopped.</exception>
    public async Task DeleteAsync(string name, CancellationToken cancellationToken)
    {
        KeptMachineRules.CheckName(name);
        await _gate.WaitAsync(cancellationToken);
        try
        {
            if (_machines.TryGetValue(name, out KeptMachine? machine))
            {
                if (machine.Record.ShouldRun || machine.State.Phase != KeptMachinePhase.Stopped)
                {
                    throw new KeptMachineException(KeptMachineFault.WrongState, name, $"Machine {name} is {machine.State.Phase}; it is deleted with its disk only when it is stopped.");
                }

                await machine.DisposeAsync();
                _machines.TryRemove(name, out _);
            }

            store.Delete(name);
            Deleted(name);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Instead of <see cref="Begin"/>: ends all that an earlier daemon left running, in order, and has them stay stopped. Their disks stay.</summary>
    public async Task EndAllAsync(CancellationToken cancellationToken)
    {
        foreach (string name in store.Names)
        {
            KeptMachineRecord record = store.Load(name) with { ShouldRun = false };
            store.Save(record);
            Follow(record);
        }

        await Task.WhenAll(All.Select(machine => machine.StopAsync(KeptMachine.DefaultGrace, cancellationToken)));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (KeptMachine machine in _machines.Values)
        {
            await machine.DisposeAsync();
        }

        _machines.Clear();
    }

    private KeptMachine Follow(KeptMachineRecord record)
    {
        KeptMachine machine = new(record, store, guest, engine, time, loggers.CreateLogger<KeptMachine>());
        _machines[record.Name] = machine;
        machine.Begin();
        return machine;
    }

    /// <summary>Locally administered, of one station.</summary>
    private static string NewMac()
    {
        byte[] bytes = RandomNumberGenerator.GetBytes(6);
        bytes[0] = (byte)((bytes[0] & 0xfc) | 0x02);
        return string.Join(':', bytes.Select(static part => part.ToString("x2", System.Globalization.CultureInfo.InvariantCulture)));
    }

    [LoggerMessage(3810, LogLevel.Information, "Machine {Name} made: a disk of {DiskMiB} MiB, to be on {Link}")]
    private partial void Made(string name, int diskMiB, string link);

    [LoggerMessage(3811, LogLevel.Information, "Machine {Name} deleted with its disk")]
    private partial void Deleted(string name);

    [LoggerMessage(3812, LogLevel.Error, "Machine {Name} is not kept running: its record cannot be read")]
    private partial void NotLoaded(string name, Exception problem);
}
