using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Machines;
using Vks.Spherelet.Images;

namespace Vks.Spherelet.Pods;

internal sealed partial class ContainerService
{
    private async Task<(string Id, IReadOnlyList<LimitChange> Others)> CreateHeldAsync(
        PodSandbox sandbox,
        ContainerConfig config,
        ContainerImage image,
        IReadOnlyDictionary<string, ContainerImage> volumes,
        string? seccomp,
        CancellationToken cancellationToken)
    {
        RequireReady(sandbox);
        string id = PodId.New();
        var record = new ContainerRecord
        {
            Id = id,
            PodId = sandbox.Id,
            Config = config,
            ImageId = image.ImageId,
            ImageRef = image.ImageRef,
            Disks = [.. volumes.Values.Prepend(image).Select(disk => ContainerPlan.DiskSerial(disk.ImageId)).Distinct(), .. BlockVolumes.Disks(config).Select(disk => disk.Serial)],
            StopSignal = ContainerPlan.StopSignal(config, image.Config),
            LogPath = LogPath(sandbox.Record.Config, config),
            CreatedUnixNanoseconds = UnixTime.Nanoseconds(time.GetUtcNow()),
        };

        // Made before anything is changed: a config that cannot be is refused here.
        ContainerSpec spec = ContainerPlan.ToSpec(id, sandbox.Record.Config, WithPidTarget(sandbox, config), image, [], seccomp);
        var draft = new ContainerDraft(record with { Process = spec.Process }, spec);
        var undo = new UndoStack(id, logger);
        try
        {
            table.ContainerNames.Reserve(NameOf(record), id);
            undo.Push("the name", () => table.ContainerNames.Release(NameOf(record), id));
            using IDisposable entry = await hooks.EnterAsync(cancellationToken);
            undo.Push("those who were asked", _ => hooks.ContainerNotCreatedAsync(sandbox, record));
            draft = await hooks.ContainerCreatesAsync(sandbox, draft, cancellationToken);

            // Plugins may have changed devices and mounts.
            string[] before = [.. BlockVolumes.Disks(record.Config).Select(disk => disk.Serial)];
            IReadOnlyDictionary<string, EmptyDir> emptyDirsFound = EmptyDirs.Find(sandbox.Record, draft.Record.Config.Mounts);
            EmptyDir[] onDisk = [.. emptyDirsFound.Values.Where(static volume => !volume.InMemory).DistinctBy(static volume => volume.Serial)];
            record = draft.Record with
            {
                Disks = [.. draft.Record.Disks.Except(before), .. BlockVolumes.Disks(draft.Record.Config).Select(disk => disk.Serial), .. onDisk.Select(volume => volume.Serial)],
            };
            undo.Push("the record", () => store.DeleteContainer(sandbox.Id, id));
            store.Save(record);

            foreach (EmptyDir volume in onDisk)
            {
                await emptyDirs.PrepareAsync(volume, sandbox.Record.EmptyDirMiB, cancellationToken);
            }

            await AcquireDisksAsync(
                sandbox,
                [
                    .. volumes.Values.Prepend(image).DistinctBy(disk => disk.ImageId)
                        .Select(disk => new DiskAttachment(ContainerPlan.DiskSerial(disk.ImageId), disk.DiskPath, ReadOnly: true)),
                    .. BlockVolumes.Disks(record.Config),
                    .. onDisk.Select(static volume => volume.Disk),
                ],
                undo,
                cancellationToken);
            undo.Push("the mounts", token => share.ReleaseContainerAsync(sandbox.Id, id, sandbox.QemuPid, token));
            IReadOnlyList<MountSpec> mounts = [.. await MountsAsync(sandbox, id, record.Config, volumes, emptyDirsFound, cancellationToken), .. draft.ExtraMounts];
            undo.Push("the container in the guest", token => DeleteInGuestAsync(sandbox, id, token));
            ContainerMade made = await sandbox.Guest.CallAsync(
                GuestMethods.CreateContainer, draft.Spec with { Mounts = mounts }, GuestJson.Default.ContainerSpec, GuestJson.Default.ContainerMade, cancellationToken);

            var container = new Container(record, sandbox, store, table.Events, hooks);
            container.Change(present => present with { Made = true, User = made });
            table.Containers[id] = container;
            undo.Clear();
            table.Events.Publish(PodEventKind.Created, id, sandbox);
            await hooks.ContainerCreatedAsync(container);
            return (id, draft.Others);
        }
        finally
        {
            await undo.UndoAsync();
        }
    }

    /// <summary>The images of the image volumes, by the name the config has for them.</summary>
    private async Task<Dictionary<string, ContainerImage>> ResolveVolumesAsync(ContainerConfig config, CancellationToken cancellationToken)
    {
        var volumes = new Dictionary<string, ContainerImage>(StringComparer.Ordinal);
        foreach (ContainerMount mount in config.Mounts.Where(mount => mount.Image.Length > 0))
        {
            volumes[mount.Image] = await images.ResolveAsync(mount.Image, cancellationToken);
        }

        return volumes;
    }

    /// <summary>Plugs in each disk unless another container has it.</summary>
    private static async Task AcquireDisksAsync(
        PodSandbox sandbox, IReadOnlyList<DiskAttachment> disks, UndoStack undo, CancellationToken cancellationToken)
    {
        foreach (DiskAttachment disk in disks)
        {
            await sandbox.AcquireDiskAsync(disk, cancellationToken);
            undo.Push($"disk {disk.Serial}", token => sandbox.ReleaseDiskAsync(disk.Serial, token));
        }
    }

    /// <summary>Image volumes and emptyDirs become disks, other host paths become shares; the order of the config stays.</summary>
    private async Task<IReadOnlyList<MountSpec>> MountsAsync(
        PodSandbox sandbox,
        string containerId,
        ContainerConfig config,
        IReadOnlyDictionary<string, ContainerImage> volumes,
        IReadOnlyDictionary<string, EmptyDir> emptyDirsFound,
        CancellationToken cancellationToken)
    {
        ContainerMount[] paths = [.. config.Mounts.Where(mount => mount.Image.Length == 0 && !emptyDirsFound.ContainsKey(mount.HostPath))];
        var shared = new Queue<IReadOnlyList<MountSpec>>(
            paths.Length == 0 ? [] : await share.BindAsync(sandbox.Id, containerId, paths, sandbox.QemuPid, cancellationToken));
        return
        [
            .. config.Mounts.SelectMany(mount => emptyDirsFound.TryGetValue(mount.HostPath, out EmptyDir? volume) ? [volume.ToSpec(mount)]
                : mount.Image.Length == 0 ? shared.Dequeue()
                :
                [
                    new MountSpec
                    {
                        Kind = MountSource.Disk,
                        Source = ContainerPlan.DiskSerial(volumes[mount.Image].ImageId),
                        Destination = mount.ContainerPath,
                        Options = ["rbind", "ro"],
                        SubPath = mount.ImageSubPath,
                    },
                ]),
        ];
    }

    /// <summary>The container whose PID namespace is to be joined, by its whole id.</summary>
    private ContainerConfig WithPidTarget(PodSandbox sandbox, ContainerConfig config)
    {
        if (config.Security.PidNamespace != PidNamespace.Target)
        {
            return config;
        }

        Container target = table.FindContainer(config.Security.PidTarget);
        return target.Record.PodId == sandbox.Id && target.Record.Phase == ContainerPhase.Running
            ? config with { Security = config.Security with { PidTarget = target.Id } }
            : throw new PodException(
                PodFault.InvalidConfig, target.Id, $"Container {target.Id} cannot share its processes: it is in another pod, or does not run.");
    }

    private static string LogPath(PodConfig pod, ContainerConfig config) =>
        pod.LogDirectory.Length == 0 || config.LogPath.Length == 0 ? "" : Path.Combine(pod.LogDirectory, config.LogPath);
}
