using System.Text.Json;
using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Host;
using Vks.Spherelet.Images;

namespace Vks.Spherelet.Pods;

/// <summary>Makes, starts, stops and removes containers in pods that run.</summary>
internal sealed partial class ContainerService(
    PodTable table,
    PodStore store,
    PodShare share,
    EmptyDirs emptyDirs,
    IImageSource images,
    ContainerFollower follower,
    IPodHooks hooks,
    PodOptions options,
    TimeProvider time,
    ILogger<ContainerService> logger)
{
    private const long MaxSeccompBytes = 1024 * 1024;

    /// <summary>Makes a container in a ready pod. On failure nothing of it is left.</summary>
    /// <returns>Its id.</returns>
    /// <param name="podId">The pod, or a beginning of its id.</param>
    /// <param name="config">The container.</param>
    /// <param name="cancellationToken">Ends the work and undoes it.</param>
    /// <exception cref="PodException">The pod is not ready, the name is taken, or the config asks for something that cannot be.</exception>
    /// <exception cref="ImageException">The image has not been pulled.</exception>
    /// <exception cref="GuestException">The guest refused.</exception>
    public async Task<string> CreateAsync(string podId, ContainerConfig config, CancellationToken cancellationToken)
    {
        PodSandbox sandbox = table.FindPod(podId);
        ContainerImage image = await images.ResolveAsync(config.Image, cancellationToken);
        Dictionary<string, ContainerImage> volumes = await ResolveVolumesAsync(config, cancellationToken);
        config = config with
        {
            Mounts = [.. config.Mounts.Select(mount => mount.Image.Length == 0 ? mount : mount with { ImageId = volumes[mount.Image].ImageId })],
            Devices = await BlockVolumes.FindAsync(config.Devices, cancellationToken),
        };
        string? seccomp = await ReadSeccompAsync(config.Security, cancellationToken);
        string id;
        IReadOnlyList<LimitChange> others;
        await sandbox.Gate.WaitAsync(cancellationToken);
        try
        {
            (id, others) = await CreateHeldAsync(sandbox, config, image, volumes, seccomp, cancellationToken);
        }
        finally
        {
            sandbox.Gate.Release();
        }

        await ChangeOthersAsync(id, others, cancellationToken);
        return id;
    }

    /// <summary>Starts a made container.</summary>
    /// <param name="id">The container, or a beginning of its id.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="PodException"><see cref="PodFault.WrongState"/>: it was started before, or the pod is not ready. <see cref="PodFault.CannotExecute"/>: there is no such program; the container has exited then.</exception>
    public async Task StartAsync(string id, CancellationToken cancellationToken)
    {
        Container container = table.FindContainer(id);
        await container.Sandbox.Gate.WaitAsync(cancellationToken);
        try
        {
            if (container.Record.Phase != ContainerPhase.Created)
            {
                throw new PodException(
                    PodFault.WrongState, container.Id, $"Container {container.Id} is {container.Record.Phase}; only a created one can be started.");
            }

            RequireReady(container.Sandbox);
            using IDisposable entry = await hooks.EnterAsync(cancellationToken);
            await hooks.ContainerStartsAsync(container, cancellationToken);
            ContainerLog log = OpenLog(container.Record);
            try
            {
                ContainerStarted started = await container.Sandbox.Guest.CallAsync(
                    GuestMethods.StartContainer,
                    new ContainerReference(container.Id),
                    GuestJson.Default.ContainerReference,
                    GuestJson.Default.ContainerStarted,
                    cancellationToken);
                container.Change(record => record with { StartedUnixNanoseconds = UnixTime.Nanoseconds(time.GetUtcNow()), GuestPid = started.Pid });
            }
            catch (GuestException cause) when (cause.Fault == GuestFault.CannotExecute)
            {
                await log.DisposeAsync();
                container.Change(record => CannotStart(record, cause.Message));
                throw new PodException(PodFault.CannotExecute, container.Id, $"Container {container.Id} cannot start: {cause.Message}", cause);
            }
            catch (Exception)
            {
                await log.DisposeAsync();
                throw;
            }

            container.Follow(log, token => follower.FollowAsync(container, token));
            ContainerStarts(container.Id, container.Record.Config.Name);
            await hooks.ContainerStartedAsync(container);
        }
        finally
        {
            container.Sandbox.Gate.Release();
        }
    }

    /// <summary>Stops a container: its stop signal, then SIGKILL. Completes once it has exited. Again, or unknown, is no error.</summary>
    /// <param name="id">The container, or a beginning of its id.</param>
    /// <param name="grace">How long it may take after the stop signal; zero kills at once.</param>
    /// <param name="cancellationToken">Ends the waiting; what was signalled stays signalled.</param>
    public async Task StopAsync(string id, TimeSpan grace, CancellationToken cancellationToken)
    {
        if (PodId.TryFind(table.Containers, id, "container") is not { } container || container.Record.Phase != ContainerPhase.Running)
        {
            return;
        }

        if (grace > TimeSpan.Zero && await EndsBySignalAsync(container, container.Record.StopSignal, all: false, grace, cancellationToken))
        {
            return;
        }

        await KillAsync(container, cancellationToken);
    }

    /// <summary>Kills a container and waits for its end. One that does not run is no error.</summary>
    /// <exception cref="PodException"><see cref="PodFault.TimedOut"/>: it outlived SIGKILL, or its guest does not answer.</exception>
    public async Task KillAsync(Container container, CancellationToken cancellationToken)
    {
        if (container.Record.Phase != ContainerPhase.Running)
        {
            return;
        }

        if (!await EndsBySignalAsync(container, Signals.Kill, all: true, options.KillTimeout, cancellationToken))
        {
            throw new PodException(
                PodFault.TimedOut,
                container.Id,
                $"Container {container.Id} has not ended {options.KillTimeout.TotalSeconds:0} s after SIGKILL; stop its pod to end its machine.");
        }
    }

    /// <summary>Removes a container, by force when it runs; its log stays. Again, or unknown, is no error.</summary>
    /// <param name="id">The container, or a beginning of its id.</param>
    /// <param name="cancellationToken">Ends the work; call again to finish it.</param>
    public async Task RemoveAsync(string id, CancellationToken cancellationToken)
    {
        if (PodId.TryFind(table.Containers, id, "container") is not { } container)
        {
            return;
        }

        await container.Sandbox.Gate.WaitAsync(cancellationToken);
        try
        {
            await RemoveHeldAsync(container, cancellationToken);
        }
        finally
        {
            container.Sandbox.Gate.Release();
        }
    }

    /// <summary>As <see cref="RemoveAsync"/>, for a caller that holds the pod's gate.</summary>
    public async Task RemoveHeldAsync(Container container, CancellationToken cancellationToken)
    {
        if (!table.Containers.ContainsKey(container.Id))
        {
            return;
        }

        if (container.Sandbox.IsMachineRunning)
        {
            await KillAsync(container, cancellationToken);
            await DeleteInGuestAsync(container.Sandbox, container.Id, cancellationToken);
        }

        await container.DisposeAsync();
        await share.ReleaseContainerAsync(container.Record.PodId, container.Id, container.Sandbox.QemuPid, cancellationToken);
        foreach (string serial in container.Record.Disks)
        {
            await container.Sandbox.ReleaseDiskAsync(serial, cancellationToken);
        }

        await container.EndTold;
        using IDisposable entry = await hooks.EnterAsync(cancellationToken);
        container.Forget();
        table.Containers.TryRemove(container.Id, out _);
        table.ContainerNames.Release(NameOf(container.Record), container.Id);
        table.Events.Publish(PodEventKind.Deleted, container.Id, container.Sandbox);
        ContainerRemoved(container.Id, container.Record.Config.Name);
        await hooks.ContainerRemovedAsync(container);
    }

    /// <summary>Goes on in a new log file after the old one was moved away.</summary>
    /// <exception cref="PodException"><see cref="PodFault.WrongState"/>: the container does not run.</exception>
    public Task ReopenLogAsync(string id, CancellationToken cancellationToken)
    {
        Container container = table.FindContainer(id);
        return container is { Record.Phase: ContainerPhase.Running, Log: { } log }
            ? log.ReopenAsync(cancellationToken)
            : throw new PodException(PodFault.WrongState, container.Id, $"Container {container.Id} is {container.Record.Phase}; it writes no log.");
    }

    /// <summary>What crun is told to run.</summary>
    /// <returns>The OCI runtime spec, or null when the guest cannot be asked or does not answer within two seconds.</returns>
    public async Task<JsonElement?> DescribeAsync(Container container, CancellationToken cancellationToken)
    {
        if (!container.Sandbox.IsReady)
        {
            return null;
        }

        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2), time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            ContainerDescription description = await container.Sandbox.Guest.CallAsync(
                GuestMethods.DescribeContainer, new ContainerReference(container.Id), GuestJson.Default.ContainerReference, GuestJson.Default.ContainerDescription, either.Token);
            return description.RuntimeSpec;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
        catch (GuestException)
        {
            // What is asked for are facts for people; all the others are known without the guest.
            return null;
        }
    }

    private static async Task<string?> ReadSeccompAsync(ContainerSecurity security, CancellationToken cancellationToken)
    {
        if (security.Seccomp != SeccompChoice.Localhost)
        {
            return null;
        }

        try
        {
            // Reading a pipe could last for ever, and some devices have no end.
            if (FileKinds.Of(security.SeccompPath) != FileKind.Regular || new FileInfo(security.SeccompPath).Length > MaxSeccompBytes)
            {
                throw new IOException($"it is no regular file of at most {MaxSeccompBytes} bytes");
            }

            string json = await File.ReadAllTextAsync(security.SeccompPath, cancellationToken);
            using var checkedJson = JsonDocument.Parse(json);
            return json;
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new PodException(
                PodFault.InvalidConfig, security.SeccompPath, $"The seccomp profile '{security.SeccompPath}' cannot be read: {cause.Message}", cause);
        }
    }

    /// <summary>Signals and waits; false when the limit passed first, be it that the container goes on or that its guest is stuck.</summary>
    private async Task<bool> EndsBySignalAsync(Container container, int signal, bool all, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            await SignalAsync(container, signal, all, either.Token);
            await container.Ended.WaitAsync(either.Token);
            return true;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>A container that ended meanwhile, or whose machine did, needs no signal.</summary>
    private static async Task SignalAsync(Container container, int signal, bool all, CancellationToken cancellationToken)
    {
        if (!container.Sandbox.IsMachineRunning)
        {
            return;
        }

        try
        {
            await container.Sandbox.Guest.CallAsync(
                GuestMethods.SignalContainer,
                new SignalRequest(container.Id, signal, all),
                GuestJson.Default.SignalRequest,
                GuestJson.Default.Empty,
                cancellationToken);
        }
        catch (GuestException cause) when (cause.ConnectionLost || cause.Fault == GuestFault.NotFound)
        {
            // The follower finds out what became of it; the caller waits for that.
        }
        catch (PodException cause) when (cause.Fault == PodFault.WrongState)
        {
            // The machine ended between the look and the call.
        }
    }

    private static async Task DeleteInGuestAsync(PodSandbox sandbox, string containerId, CancellationToken cancellationToken)
    {
        try
        {
            await sandbox.Guest.CallAsync(
                GuestMethods.DeleteContainer,
                new ContainerReference(containerId),
                GuestJson.Default.ContainerReference,
                GuestJson.Default.Empty,
                cancellationToken);
        }
        catch (Exception cause) when (!sandbox.IsMachineRunning && cause is GuestException or PodException)
        {
            // The machine has ended, and with it all it held.
        }
    }

    private static void RequireReady(PodSandbox sandbox)
    {
        if (!sandbox.IsReady)
        {
            throw new PodException(PodFault.WrongState, sandbox.Id, $"Pod sandbox {sandbox.Id} is not ready: {sandbox.DownReason()}.");
        }
    }

    private ContainerRecord CannotStart(ContainerRecord record, string message) => record with
    {
        FinishedUnixNanoseconds = UnixTime.Nanoseconds(time.GetUtcNow()),
        ExitCode = 128,
        Reason = "StartError",
        Message = message,
    };

    private ContainerLog OpenLog(ContainerRecord record) => ContainerLog.OpenAt(
        record.LogPath,
        store.LoadLogPosition(record.PodId, record.Id),
        position => store.Save(record.PodId, record.Id, position),
        time,
        logger);

    private static ContainerName NameOf(ContainerRecord record) => new(record.PodId, record.Config.Name, record.Config.Attempt);

    [LoggerMessage(3150, LogLevel.Information, "Container {ContainerId} starts: {Name}")]
    private partial void ContainerStarts(string containerId, string name);

    [LoggerMessage(3151, LogLevel.Information, "Container {ContainerId} removed: {Name}")]
    private partial void ContainerRemoved(string containerId, string name);

    [LoggerMessage(3152, LogLevel.Information, "Container {ContainerId} was left half made and is cleared away")]
    private partial void HalfMadeContainerCleared(string containerId);
}
