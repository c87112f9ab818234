using Google.Protobuf.Collections;
using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

/// <summary>Reads user namespaces. Theirs is one mapping from 0 on, as the kubelet gives each pod.</summary>
internal static class UserNamespaceReader
{
    private const string Field = "namespace_options.userns_options";

    /// <summary>The user namespace of a pod or a container; null for the node's, which is the guest's.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>, naming the field.</exception>
    public static GuestUserNamespace? Read(V1.NamespaceOption? options)
    {
        switch (options?.UsernsOptions?.Mode)
        {
            case null or V1.NamespaceMode.Node:
                return null;
            case V1.NamespaceMode.Pod:
                break;
            default:
                throw Invalid(Field, $"has mode {options.UsernsOptions.Mode}; a user namespace is the pod's (POD) or the node's (NODE)");
        }

        if (options.Pid == V1.NamespaceMode.Node)
        {
            throw Invalid("namespace_options.pid", "is NODE beside a user namespace of the pod, which has processes of its own");
        }

        return Read(options.UsernsOptions.Uids, options.UsernsOptions.Gids, Field);
    }

    /// <summary>The same of a mount; null when it maps nothing.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>, naming the field.</exception>
    public static GuestUserNamespace? Read(V1.Mount mount) =>
        mount.UidMappings.Count + mount.GidMappings.Count == 0 ? null : Read(mount.UidMappings, mount.GidMappings, $"mounts '{mount.ContainerPath}'");

    /// <summary>The namespace in the words of CRI.</summary>
    public static V1.UserNamespace Write(GuestUserNamespace? map) => map is null
        ? new V1.UserNamespace { Mode = V1.NamespaceMode.Node }
        : new V1.UserNamespace { Mode = V1.NamespaceMode.Pod, Uids = { Write(map.Uids) }, Gids = { Write(map.Gids) } };

    /// <summary>One range in the words of CRI.</summary>
    public static V1.IDMapping Write(IdRange range) => new() { ContainerId = 0, HostId = range.First, Length = range.Length };

    private static GuestUserNamespace Read(RepeatedField<V1.IDMapping> uids, RepeatedField<V1.IDMapping> gids, string field) =>
        new(Range(uids, $"{field} uids"), Range(gids, $"{field} gids"));

    private static IdRange Range(RepeatedField<V1.IDMapping> mappings, string field)
    {
        if (mappings.Count != 1)
        {
            throw Invalid(field, $"has {mappings.Count} mappings; exactly one can be");
        }

        V1.IDMapping mapping = mappings[0];
        if (mapping.ContainerId != 0)
        {
            throw Invalid(field, $"maps ids from {mapping.ContainerId} on; root (0) must be the first");
        }

        return mapping.Length > 0 && (ulong)mapping.HostId + mapping.Length < uint.MaxValue
            ? new IdRange(mapping.HostId, mapping.Length)
            : throw Invalid(field, $"maps {mapping.Length} ids to {mapping.HostId} and above; there are ids up to {uint.MaxValue - 1}");
    }

    private static PodException Invalid(string field, string rule) => new(PodFault.InvalidConfig, field, $"{field} {rule}.");
}
