using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Machines;
using Vks.Spherelet.Network;

namespace Vks.Spherelet.Pods;

/// <summary>Makes, stops and removes pod sandboxes.</summary>
internal sealed partial class PodService(
    PodTable table,
    PodStore store,
    PodShare share,
    CrxEngine engine,
    IPodNetwork network,
    ContainerService containers,
    MachinePool pool,
    IPodHooks hooks,
    PodOptions options,
    TimeProvider time,
    ILogger<PodService> logger)
{
    private const string HostResolvConf = "/etc/resolv.conf";

    /// <summary>Makes a pod sandbox: name, network, machine, personality. On failure nothing of it is left.</summary>
    /// <returns>Its id.</returns>
    /// <param name="config">The pod.</param>
    /// <param name="cancellationToken">Ends the work and undoes it.</param>
    /// <exception cref="PodException">The name is taken, or the host refused something.</exception>
    /// <exception cref="NetworkException">The pod could not be wired.</exception>
    /// <exception cref="MachineException">The machine could not be started.</exception>
    public async Task<string> RunAsync(PodConfig config, CancellationToken cancellationToken)
    {
        // What takes a machine of the pool takes its id too: everything the machine has on the host is named after it.
        PoolMember? member = pool.TryTake(Plan(PodId.New(), config, NetworkAttachment.Unwired("/", "")));
        string id = member?.Id ?? PodId.New();
        var undo = new UndoStack(id, logger);
        try
        {
            undo.Push("the record", () => store.DeletePod(id));
            undo.Push("the network", token => network.TearDownAsync(id, token));
            undo.Push("the share", token => share.ReleasePodAsync(id, token));
            undo.Push("the machine", token => engine.RemoveAsync(MachineId.Parse(id), token));
            table.PodNames.Reserve(config.Name, id);
            undo.Push("the name", () => table.PodNames.Release(config.Name, id));
            var record = new PodRecord { Id = id, Config = config, CreatedUnixNanoseconds = UnixTime.Nanoseconds(time.GetUtcNow()), EmptyDirMiB = config.UserNamespace is null ? options.EmptyDirMiB : 0 };
            store.Save(record);

            MachineSpec spec = Plan(id, config, member?.Machine.Spec.Network ?? await network.PrepareAsync(id, cancellationToken));
            share.Prepare(id);
            (Machine machine, PodNetwork wired) = await SideBySide.RunAsync(
                token => member is null ? engine.CreateAsync(spec, token) : ClaimAsync(member, spec, token),
                token => network.SetUpAsync(NetworkRequest(record), token),
                cancellationToken);
            record = record with { Network = wired };
            store.Save(record);
            machine = await ConfigureAsync(machine, spec, record, cancellationToken);

            var sandbox = new PodSandbox(record, machine, store);
            using IDisposable entry = await hooks.EnterAsync(cancellationToken);
            undo.Push("those who were asked", _ => hooks.PodRemovedAsync(sandbox));
            await hooks.PodRunsAsync(sandbox, cancellationToken);
            sandbox.Change(present => present with { Made = true });
            table.Pods[id] = sandbox;
            undo.Clear();
            SetShares(sandbox);
            sandbox.TellEnd(table.Events);
            table.Events.Publish(PodEventKind.Created, id, sandbox);
            table.Events.Publish(PodEventKind.Started, id, sandbox);
            PodRuns(id, config.Name, spec.VcpuCount, spec.MemoryMiB, string.Join(' ', record.Network.Addresses));
            return id;
        }
        finally
        {
            await undo.UndoAsync();
        }
    }

    /// <summary>Stops a pod with all its containers: machine and network are gone, records and logs stay. Again, or unknown, is no error.</summary>
    /// <param name="id">The pod, or a beginning of its id.</param>
    /// <param name="cancellationToken">Ends the work; call again to finish it.</param>
    public async Task StopAsync(string id, CancellationToken cancellationToken)
    {
        if (PodId.TryFind(table.Pods, id, "pod sandbox") is { } sandbox)
        {
            await sandbox.Gate.WaitAsync(cancellationToken);
            try
            {
                await StopHeldAsync(sandbox, cancellationToken);
            }
            finally
            {
                sandbox.Gate.Release();
            }
        }
    }

    /// <summary>Stops a pod if it runs and removes all of it but its logs. Again, or unknown, is no error.</summary>
    /// <param name="id">The pod, or a beginning of its id.</param>
    /// <param name="cancellationToken">Ends the work; call again to finish it.</param>
    public async Task RemoveAsync(string id, CancellationToken cancellationToken)
    {
        if (PodId.TryFind(table.Pods, id, "pod sandbox") is not { } sandbox)
        {
            return;
        }

        await sandbox.Gate.WaitAsync(cancellationToken);
        try
        {
            await StopHeldAsync(sandbox, cancellationToken);
            foreach (Container container in table.ContainersOf(sandbox.Id))
            {
                await containers.RemoveHeldAsync(container, cancellationToken);
            }

            await ClearAsync(sandbox.Record, cancellationToken);
            using IDisposable entry = await hooks.EnterAsync(cancellationToken);
            table.Pods.TryRemove(sandbox.Id, out _);
            table.Events.Publish(PodEventKind.Deleted, sandbox.Id, sandbox);
            PodRemoved(sandbox.Id, sandbox.Record.Config.Name);
            await hooks.PodRemovedAsync(sandbox);
        }
        finally
        {
            sandbox.Gate.Release();
        }
    }

    private async Task StopHeldAsync(PodSandbox sandbox, CancellationToken cancellationToken)
    {
        if (!sandbox.Record.Stopped)
        {
            // Kept first: whatever ends this daemon from here on, the pod does not come back.
            sandbox.Change(record => record with { Stopped = true });
        }

        await Task.WhenAll(table.ContainersOf(sandbox.Id).Select(container => KillAsync(container, cancellationToken)));
        if (!sandbox.StopTold)
        {
            await Task.WhenAll(table.ContainersOf(sandbox.Id).Select(static container => container.EndTold));
            await hooks.PodStopsAsync(sandbox);
            sandbox.StopTold = true;
        }

        if (sandbox.Machine is { } machine && machine.Current.State is not (MachineState.Stopped or MachineState.Removed))
        {
            await machine.StopAsync(options.PowerOffGrace, cancellationToken);
            await sandbox.EndTold;
            PodStopped(sandbox.Id, sandbox.Record.Config.Name);
        }

        await network.TearDownAsync(NetworkRequest(sandbox.Record), cancellationToken);
        await share.ReleasePodAsync(sandbox.Id, cancellationToken);
    }

    /// <summary>Kills a container so that its true end is known. One that cannot be killed, or whose guest is stuck, ends with the machine.</summary>
    private async Task KillAsync(Container container, CancellationToken cancellationToken)
    {
        try
        {
            await containers.KillAsync(container, cancellationToken);
        }
        catch (Exception cause) when (cause is PodException or GuestException)
        {
            ContainerLeftToMachine(container.Id, cause);
        }
    }

    /// <summary>Removes all that a pod may have on the host, whole or half made.</summary>
    private async Task ClearAsync(PodRecord record, CancellationToken cancellationToken)
    {
        await engine.RemoveAsync(MachineId.Parse(record.Id), cancellationToken);
        await network.TearDownAsync(NetworkRequest(record), cancellationToken);
        await share.ReleasePodAsync(record.Id, cancellationToken);
        store.DeletePod(record.Id);
        table.PodNames.Release(record.Config.Name, record.Id);
    }

    private MachineSpec Plan(string id, PodConfig config, NetworkAttachment plug) =>
        MachinePlan.ToSpec(id, config, plug, store.ShareDirectory(id), options, HostSize.Here);

    /// <summary>Makes a machine of the pool the pod's own; one that is no good any more is replaced by a fresh one.</summary>
    private async Task<Machine> ClaimAsync(PoolMember member, MachineSpec spec, CancellationToken cancellationToken)
    {
        try
        {
            member.Machine.Claim(new Dictionary<string, string>(spec.Labels) { [MachinePlan.PooledLabel] = "true" });
            return member.Machine;
        }
        catch (MachineException cause) when (cause.Fault == MachineFault.WrongState)
        {
            return await ReplaceAsync(spec, cause, cancellationToken);
        }
    }

    /// <summary>Starts a machine for the pod in the place of one of the pool.</summary>
    private async Task<Machine> ReplaceAsync(MachineSpec spec, Exception cause, CancellationToken cancellationToken)
    {
        pool.NoteFailure();
        PooledMachineReplaced(cause, spec.Id);
        await engine.RemoveAsync(spec.Id, cancellationToken);
        return await engine.CreateAsync(spec, cancellationToken);
    }

    /// <summary>Gives the guest its personality. A machine of the pool that cannot take it is replaced: to have one is never a pod's misfortune.</summary>
    private async Task<Machine> ConfigureAsync(Machine machine, MachineSpec spec, PodRecord record, CancellationToken cancellationToken)
    {
        if (!machine.Spec.Labels.ContainsKey(MachinePlan.PooledLabel))
        {
            await ConfigureAsync(machine, record, cancellationToken);
            return machine;
        }

        using var patience = new CancellationTokenSource(options.PooledPatience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            await ConfigureAsync(machine, record, either.Token);
            return machine;
        }
        catch (Exception cause) when (!cancellationToken.IsCancellationRequested
            && cause is OperationCanceledException or MachineException or GuestException { ConnectionLost: true })
        {
            Machine fresh = await ReplaceAsync(spec, cause, cancellationToken);
            await ConfigureAsync(fresh, record, cancellationToken);
            return fresh;
        }
    }

    private async Task ConfigureAsync(Machine machine, PodRecord record, CancellationToken cancellationToken)
    {
        string resolvConf = File.Exists(HostResolvConf) ? await File.ReadAllTextAsync(HostResolvConf, cancellationToken) : "";
        await machine.Guest.CallAsync(
            GuestMethods.Configure,
            PersonalityPlan.Create(
                record.Id,
                record.Config,
                record.Network,
                resolvConf,
                machine.Spec.ScratchMiB > 0 ? MachinePlan.ScratchSerial : null,
                machine.Spec.SharedDirectory is null ? null : PodShare.Tag,
                time.GetUtcNow()),
            GuestJson.Default.GuestPersonality,
            GuestJson.Default.Empty,
            cancellationToken);
    }

    private static PodNetworkRequest NetworkRequest(PodRecord record) => new()
    {
        PodId = record.Id,
        Name = record.Config.Name.Name,
        Namespace = record.Config.Name.Namespace,
        Uid = record.Config.Name.Uid,
        PortMappings = record.Config.PortMappings,
        Annotations = record.Config.Annotations,
    };

    [LoggerMessage(3188, LogLevel.Warning, "Machine {MachineId} of the pool is no good; the pod gets a fresh one")]
    private partial void PooledMachineReplaced(Exception cause, MachineId machineId);

    [LoggerMessage(3140, LogLevel.Information, "Pod {PodId} runs: {Name}, {VcpuCount} vCPU, {MemoryMiB} MiB, {Addresses}")]
    private partial void PodRuns(string podId, PodName name, int vcpuCount, int memoryMiB, string addresses);

    [LoggerMessage(3141, LogLevel.Information, "Pod {PodId} stopped: {Name}")]
    private partial void PodStopped(string podId, PodName name);

    [LoggerMessage(3142, LogLevel.Information, "Pod {PodId} removed: {Name}")]
    private partial void PodRemoved(string podId, PodName name);

    [LoggerMessage(3143, LogLevel.Information, "Pod {PodId} was left half made or unreadable and is cleared away")]
    private partial void HalfMadePodCleared(string podId);

    [LoggerMessage(3144, LogLevel.Error, "Pod {PodId} could not be taken back or cleared away; the next start tries again")]
    private partial void AdoptionFailed(string podId, Exception cause);

    [LoggerMessage(3146, LogLevel.Warning, "Container {ContainerId} could not be killed in its guest; it ends with the pod's machine")]
    private partial void ContainerLeftToMachine(string containerId, Exception cause);

    [LoggerMessage(3145, LogLevel.Information, "Pod {PodId} taken back: {Name}, {Containers} containers, ready {IsReady}")]
    private partial void PodAdopted(string podId, PodName name, int containers, bool isReady);
}
