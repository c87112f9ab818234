using System.Text.Json;
using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

/// <summary>Containers in the words of CRI.</summary>
internal static class ContainerWriter
{
    /// <summary>A container as lists show it.</summary>
    public static V1.Container ListItem(ContainerRecord record) => new()
    {
        Id = record.Id,
        PodSandboxId = record.PodId,
        Metadata = Metadata(record.Config),
        Image = Image(record.Config),
        ImageRef = record.ImageRef,
        ImageId = record.ImageId,
        State = State(record.Phase),
        CreatedAt = record.CreatedUnixNanoseconds,
        Labels = { record.Config.Labels.ToDictionary() },
        Annotations = { record.Config.Annotations.ToDictionary() },
    };

    /// <summary>A container in full.</summary>
    public static V1.ContainerStatus Status(ContainerRecord record) => new()
    {
        Id = record.Id,
        Metadata = Metadata(record.Config),
        State = State(record.Phase),
        CreatedAt = record.CreatedUnixNanoseconds,
        StartedAt = record.StartedUnixNanoseconds,
        FinishedAt = record.FinishedUnixNanoseconds,
        ExitCode = record.ExitCode,
        Image = Image(record.Config),
        ImageRef = record.ImageRef,
        ImageId = record.ImageId,
        Reason = record.Reason,
        Message = record.Message,
        Labels = { record.Config.Labels.ToDictionary() },
        Annotations = { record.Config.Annotations.ToDictionary() },
        Mounts = { record.Config.Mounts.Select(Mount) },
        LogPath = record.LogPath,
        Resources = new V1.ContainerResources { Linux = ResourceConversion.Write(record.Config.Resources, record.Config.OomScoreAdjust) },
        StopSignal = SignalConversion.Write(record.StopSignal),
        User = record.User is { } user ? User(user) : null,
    };

    /// <summary>Facts for people. The process on this host is the machine's; the program itself has an id in the guest alone.</summary>
    /// <param name="container">The container.</param>
    /// <param name="runtimeSpec">What crun is told in the guest, where that is known.</param>
    public static string Info(Container container, JsonElement? runtimeSpec) => InfoText.Write(json =>
    {
        json.WriteString("sandboxID", container.Record.PodId);
        json.WriteString("runtimeType", "crx");
        json.WriteNumber("pid", container.Record.Phase == ContainerPhase.Running ? container.Sandbox.QemuPid : 0);
        json.WriteNumber("guestPid", container.Record.GuestPid);
        json.WriteNumber("stopSignal", container.Record.StopSignal);
        json.WriteStartArray("disks");
        foreach (string serial in container.Record.Disks)
        {
            json.WriteStringValue(serial);
        }

        json.WriteEndArray();
        if (container.Log is { } log)
        {
            json.WriteNumber("storedOutputBytes", log.Position.OutputBytes);
            json.WriteNumber("storedErrorBytes", log.Position.ErrorBytes);
        }

        json.WritePropertyName("config");
        JsonSerializer.Serialize(json, container.Record.Config, PodJson.Default.ContainerConfig);
        if (runtimeSpec is { } spec)
        {
            json.WritePropertyName("runtimeSpec");
            spec.WriteTo(json);
        }
    });

    private static V1.ContainerState State(ContainerPhase phase) => phase switch
    {
        ContainerPhase.Created => V1.ContainerState.ContainerCreated,
        ContainerPhase.Running => V1.ContainerState.ContainerRunning,
        ContainerPhase.Exited => V1.ContainerState.ContainerExited,
        _ => V1.ContainerState.ContainerUnknown,
    };

    private static V1.ContainerMetadata Metadata(ContainerConfig config) => new() { Name = config.Name, Attempt = config.Attempt };

    private static V1.ImageSpec Image(ContainerConfig config) => new() { Image = config.Image, UserSpecifiedImage = config.UserSpecifiedImage };

    private static V1.ContainerUser User(ContainerMade user) => new()
    {
        Linux = new V1.LinuxContainerUser { Uid = user.Uid, Gid = user.Gid, SupplementalGroups = { user.Groups.Select(group => (long)group) } },
    };

    private static V1.IDMapping[] Ids(IdRange? range) => range is null ? [] : [UserNamespaceReader.Write(range)];

    private static V1.Mount Mount(ContainerMount mount) => new()
    {
        ContainerPath = mount.ContainerPath,
        HostPath = mount.HostPath,
        Readonly = mount.ReadOnly,
        RecursiveReadOnly = mount.RecursiveReadOnly,
        Propagation = mount.FollowsHost ? V1.MountPropagation.PropagationHostToContainer : V1.MountPropagation.PropagationPrivate,
        SelinuxRelabel = mount.SelinuxRelabel,
        Image = mount.Image.Length == 0 ? null : new V1.ImageSpec { Image = mount.Image, ImageRef = mount.ImageId },
        ImageSubPath = mount.ImageSubPath,
        UidMappings = { Ids(mount.IdMap?.Uids) },
        GidMappings = { Ids(mount.IdMap?.Gids) },
    };
}
