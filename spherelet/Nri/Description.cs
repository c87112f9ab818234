using Vks.Spherelet.Nri.Wire;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Nri;

/// <summary>Pods and containers in the words of NRI.</summary>
internal static class Description
{
    /// <summary>A pod.</summary>
    public static Wire.PodSandbox Of(Pods.PodSandbox sandbox)
    {
        PodConfig config = sandbox.Record.Config;
        var pod = new Wire.PodSandbox
        {
            Id = sandbox.Id,
            Name = config.Name.Name,
            Namespace = config.Name.Namespace,
            Uid = config.Name.Uid,
            Labels = { config.Labels.ToDictionary() },
            Annotations = { config.Annotations.ToDictionary() },
            RuntimeHandler = config.RuntimeHandler,
            Pid = (uint)sandbox.QemuPid,
            Linux = new LinuxPodSandbox { PodResources = ResourceWords.Write(config.Resources), PodOverhead = ResourceWords.Write(config.Overhead) },
        };
        if (sandbox.Record is { Stopped: false, Network: { } network })
        {
            pod.Ips.Add(network.PlainAddresses);
            pod.Linux.Namespaces.Add(new LinuxNamespace { Type = "network", Path = network.Attachment.NetnsPath });
        }

        return pod;
    }

    /// <summary>A container as it is. The process on this host is its machine's.</summary>
    public static Wire.Container Of(Pods.Container container) =>
        Of(container.Record, container.Record.Phase == ContainerPhase.Running ? container.Sandbox.QemuPid : 0);

    /// <summary>A container of which there is a record alone.</summary>
    public static Wire.Container Of(ContainerRecord record, int pid = 0)
    {
        ContainerConfig config = record.Config;
        return new Wire.Container
        {
            Id = record.Id,
            PodSandboxId = record.PodId,
            Name = config.Name,
            State = record.Phase switch
            {
                ContainerPhase.Created => Wire.ContainerState.ContainerCreated,
                ContainerPhase.Running => Wire.ContainerState.ContainerRunning,
                ContainerPhase.Exited => Wire.ContainerState.ContainerStopped,
                _ => Wire.ContainerState.ContainerUnknown,
            },
            Labels = { config.Labels.ToDictionary() },
            Annotations = { config.Annotations.ToDictionary() },
            Args = { record.Process?.Args ?? [.. config.Command, .. config.Args] },
            Env = { record.Process?.Env ?? config.Env },
            Mounts = { config.Mounts.Select(Of) },
            Rlimits = { (record.Process?.Rlimits ?? []).Select(static limit => new POSIXRlimit { Type = limit.Type, Soft = limit.Soft, Hard = limit.Hard }) },
            Pid = (uint)pid,
            CreatedAt = record.CreatedUnixNanoseconds,
            StartedAt = record.StartedUnixNanoseconds,
            FinishedAt = record.FinishedUnixNanoseconds,
            ExitCode = record.ExitCode,
            StatusReason = record.Reason,
            StatusMessage = record.Message,
            User = record.User is { } user ? new User { Uid = user.Uid, Gid = user.Gid, AdditionalGids = { user.Groups } } : null,
            Linux = new LinuxContainer
            {
                Devices = { config.Devices.Select(static device => new LinuxDevice
                {
                    Path = device.ContainerPath, Type = device.Device is null ? "c" : "b", Major = device.Device?.Major ?? 0, Minor = device.Device?.Minor ?? 0,
                }) },
                Resources = ResourceWords.Write(config.Resources),
                OomScoreAdj = new OptionalInt { Value = config.OomScoreAdjust },
                SeccompProfile = Of(config.Security),
            },
        };
    }

    private static Mount Of(ContainerMount mount) => new()
    {
        Destination = mount.ContainerPath,
        Type = "bind",
        Source = mount.Image.Length > 0 ? mount.Image : mount.HostPath,
        Options = { "rbind", mount.RecursiveReadOnly ? "rro" : mount.ReadOnly ? "ro" : "rw", mount.FollowsHost ? "rslave" : "rprivate" },
    };

    private static SecurityProfile Of(ContainerSecurity security) => new()
    {
        ProfileType = security.Seccomp switch
        {
            SeccompChoice.RuntimeDefault => SecurityProfile.Types.ProfileType.RuntimeDefault,
            SeccompChoice.Localhost => SecurityProfile.Types.ProfileType.Localhost,
            _ => SecurityProfile.Types.ProfileType.Unconfined,
        },
        LocalhostRef = security.SeccompPath,
    };
}
