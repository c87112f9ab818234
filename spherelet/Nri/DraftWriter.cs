using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Nri.Wire;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Nri;

/// <summary>Turns what plugins asked for into what the container is to be. Pure.</summary>
internal static class DraftWriter
{
    private static readonly HashSet<string> s_bindOptions = new(StringComparer.Ordinal)
    {
        "bind", "rbind", "ro", "rw", "rro", "private", "rprivate", "slave", "rslave",
    };

    /// <summary>The container with all of it.</summary>
    /// <exception cref="PodException"><see cref="PodFault.Refused"/>: something that cannot be.</exception>
    public static ContainerDraft Apply(ContainerDraft draft, Adjustments adjustments)
    {
        ContainerAdjustment asked = adjustments.Merged;
        Wire.Container made = adjustments.Container;
        try
        {
            ContainerConfig config = draft.Record.Config with
            {
                Mounts = Mounts(draft.Record.Config.Mounts, asked),
                Devices = Devices(draft.Record.Config.Devices, asked),
                Resources = ResourceChange.Apply(draft.Record.Config.Resources, ResourceWords.ReadChange(asked.Linux.Resources)),
                OomScoreAdjust = asked.Linux.OomScoreAdj is { } score ? (int)Math.Clamp(score.Value, -1000, 1000) : draft.Record.Config.OomScoreAdjust,
            };
            ProcessSpec process = draft.Spec.Process with
            {
                Args = [.. made.Args],
                Env = [.. made.Env],
                Rlimits = [.. made.Rlimits.Select(static limit => new ResourceLimit(limit.Type, limit.Soft, limit.Hard))],
                OomScoreAdjust = config.OomScoreAdjust,
            };
            return draft with
            {
                Record = draft.Record with { Config = config, Process = process },
                Spec = draft.Spec with
                {
                    Process = process,
                    Annotations = made.Annotations.ToDictionary(),
                    Devices = [.. config.Devices.Select(static device => device.ToSpec())],
                    Resources = config.Resources,
                    SeccompJson = asked.Linux.SeccompPolicy is { } policy ? SeccompWriter.Write(policy) : draft.Spec.SeccompJson,
                },
                ExtraMounts = [.. asked.Mounts.Where(static mount => !Adjustments.IsRemoved(mount.Destination) && mount.Type == "tmpfs").Select(MemoryMount)],
                Others = Updates.Read(adjustments.Others.All),
            };
        }
        catch (PodException cause) when (cause.Fault == PodFault.InvalidConfig)
        {
            throw new PodException(PodFault.Refused, made.Id, $"NRI plugins ask for something that container {made.Id} cannot have: {cause.Message}", cause);
        }
    }

    private static ContainerMount[] Mounts(IReadOnlyList<ContainerMount> present, ContainerAdjustment asked)
    {
        HashSet<string> touched = [.. asked.Mounts.Select(static mount => Adjustments.IsRemoved(mount.Destination) ? Adjustments.Plain(mount.Destination) : mount.Destination)];
        return
        [
            .. present.Where(mount => !touched.Contains(mount.ContainerPath)),
            .. asked.Mounts.Where(static mount => !Adjustments.IsRemoved(mount.Destination) && mount.Type != "tmpfs").Select(HostMount),
        ];
    }

    private static ContainerMount HostMount(Mount mount)
    {
        CheckDestination(mount);
        bool binds = mount.Type is "bind" || mount.Options.Any(static option => option is "bind" or "rbind");
        if (!binds)
        {
            throw Invalid(mount, $"is of type '{mount.Type}'; bind and tmpfs are possible");
        }

        if (!Path.IsPathRooted(mount.Source) || mount.Source.Split('/').Contains(".."))
        {
            throw Invalid(mount, $"has the source '{mount.Source}', which is no absolute path of the host");
        }

        if (mount.Options.FirstOrDefault(static option => !s_bindOptions.Contains(option)) is { } unknown)
        {
            throw Invalid(mount, $"has the option '{unknown}', which a path of the host cannot have in a guest");
        }

        return new ContainerMount
        {
            ContainerPath = mount.Destination,
            HostPath = mount.Source,
            ReadOnly = mount.Options.Any(static option => option is "ro" or "rro"),
            RecursiveReadOnly = mount.Options.Contains("rro"),
            FollowsHost = mount.Options.Any(static option => option is "slave" or "rslave"),
        };
    }

    private static MountSpec MemoryMount(Mount mount)
    {
        CheckDestination(mount);
        return new MountSpec { Kind = MountSource.Tmpfs, Destination = mount.Destination, Options = [.. mount.Options] };
    }

    private static void CheckDestination(Mount mount)
    {
        if (!Path.IsPathRooted(mount.Destination) || mount.Destination.Trim('/').Length == 0 || mount.Destination.Split('/').Contains(".."))
        {
            throw Invalid(mount, "is no absolute path below the container's root");
        }
    }

    private static ContainerDevice[] Devices(IReadOnlyList<ContainerDevice> present, ContainerAdjustment asked)
    {
        HashSet<string> touched = [.. asked.Linux.Devices.Select(static device => Adjustments.IsRemoved(device.Path) ? Adjustments.Plain(device.Path) : device.Path)];
        return
        [
            .. present.Where(device => !touched.Contains(device.ContainerPath)),
            .. asked.Linux.Devices.Where(static device => !Adjustments.IsRemoved(device.Path)).Select(static device => GuestDeviceList.Contains(device.Path)
                ? new ContainerDevice(device.Path, device.Path, "rwm")
                : throw new PodException(
                    PodFault.InvalidConfig, device.Path, $"device {device.Path} is the host's, and the container runs in a machine of its own. Devices that every guest has: {string.Join(", ", GuestDeviceList.All)}.")),
        ];
    }

    private static PodException Invalid(Mount mount, string rule) => new(PodFault.InvalidConfig, mount.Destination, $"mount '{mount.Destination}' {rule}.");
}
