using Google.Protobuf;
using Google.Protobuf.Collections;
using Vks.Spherelet.Nri.Wire;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Nri;

/// <summary>What plugins, one after another, change with a container that is about to be made.</summary>
/// <remarks>
/// A name that begins with <c>-</c> is taken away (containerd/nri, pkg/api/adjustment.go). Who takes away what another plugin has set may set
/// it anew. What no machine of a pod can have is refused and names the plugin.
/// </remarks>
/// <param name="container">As it was asked for; is changed, so that the next plugin sees what the ones before have done.</param>
internal sealed class Adjustments(Wire.Container container)
{
    private const string Removed = "-";

    private readonly Ownership _owners = new();

    /// <summary>The container as it is to be.</summary>
    public Wire.Container Container => container;

    /// <summary>All that was asked for, in one.</summary>
    public ContainerAdjustment Merged { get; } = new() { Linux = new LinuxContainerAdjustment { Resources = new LinuxResources() } };

    /// <summary>Who asked for what.</summary>
    public OwningPlugins Owners => _owners.Owners;

    /// <summary>Changes of other containers.</summary>
    public Updates Others => _others ??= new Updates(_owners);

    private Updates? _others;

    /// <summary>Takes what one plugin asks for.</summary>
    /// <exception cref="PodException"><see cref="PodFault.Refused"/>: it contradicts another plugin, or cannot be.</exception>
    public void Apply(string plugin, CreateContainerResponse response)
    {
        if (response.Adjust is { } adjust)
        {
            Refuse(plugin, adjust);
            Annotations(plugin, adjust.Annotations);
            Variables(plugin, adjust.Env);
            Named(
                plugin, AdjustedField.Mounts, adjust.Mounts, container.Mounts, Merged.Mounts, static mount => mount.Destination, static path => new Mount { Destination = path });
            Arguments(plugin, adjust.Args);
            Rlimits(plugin, adjust.Rlimits);
            if (adjust.Linux is { } linux)
            {
                Linux(plugin, linux);
            }
        }

        Others.Apply(plugin, response.Update);
    }

    /// <summary>Without this the container would be made, and not as the plugin believes.</summary>
    private void Refuse(string plugin, ContainerAdjustment adjust)
    {
        const string HostOnly = "belongs to the host, and the container runs in a machine of its own";
        const string NotKnown = "is not known to the runtime of the guest";
        (string What, string Why)? refused = adjust switch
        {
            { Hooks: { } hooks } when hooks.CalculateSize() > 0 => ("OCI hooks", $"{HostOnly}: a program of the host has nothing to work on there"),
            { CDIDevices.Count: > 0 } => ($"CDI device {adjust.CDIDevices[0].Name}", HostOnly),
            { Linux.CgroupsPath.Length: > 0 } => ("a cgroup path", "is the guest's own affair"),
            { Linux.IoPriority: not null } => ("an I/O priority", NotKnown),
            { Linux.Namespaces.Count: > 0 } => ($"another {adjust.Linux.Namespaces[0].Type} namespace", HostOnly),
            { Linux.Sysctl.Count: > 0 } => ($"sysctl {adjust.Linux.Sysctl.Keys.First()}", "is a pod's: set it with the pod, whose kernel is its own"),
            { Linux.NetDevices.Count: > 0 } => ("a network device", HostOnly),
            { Linux.Scheduler: not null } => ("a scheduler policy", NotKnown),
            { Linux.Rdt: { } rdt } when rdt.CalculateSize() > 0 => ("a class of RDT", HostOnly),
            { Linux.MemoryPolicy: not null } => ("a memory policy", NotKnown),
            _ => null,
        };
        if (refused is { } one)
        {
            throw new PodException(
                PodFault.Refused, container.Id, $"NRI plugin {plugin} asks for {one.What} for container {container.Id}, which cannot be: it {one.Why}.");
        }
    }

    private void Annotations(string plugin, MapField<string, string> asked)
    {
        foreach (string key in asked.Keys.Where(IsRemoved).Select(Plain))
        {
            _owners.Clear(container.Id, AdjustedField.Annotations, key);
            container.Annotations.Remove(key);
            Merged.Annotations.Remove(key);
            Merged.Annotations[Removed + key] = "";
        }

        foreach ((string key, string value) in asked.Where(static entry => !IsRemoved(entry.Key)))
        {
            _owners.Claim(container.Id, AdjustedField.Annotations, key, plugin);
            container.Annotations[key] = value;
            Merged.Annotations[key] = value;
        }
    }

    private void Variables(string plugin, RepeatedField<KeyValue> asked)
    {
        foreach (string name in asked.Select(static entry => entry.Key).Where(IsRemoved).Select(Plain))
        {
            _owners.Clear(container.Id, AdjustedField.Env, name);
            ResourceMerge.Remove(container.Env, entry => NameOf(entry) == name);
            ResourceMerge.Remove(Merged.Env, entry => entry.Key == name);
            Merged.Env.Add(new KeyValue { Key = Removed + name });
        }

        foreach (KeyValue entry in asked.Where(static entry => !IsRemoved(entry.Key)))
        {
            if (entry.Key.Length == 0 || entry.Key.Contains('=', StringComparison.Ordinal) || entry.Key.Contains('\0', StringComparison.Ordinal) || entry.Value.Contains('\0', StringComparison.Ordinal))
            {
                throw new PodException(PodFault.Refused, container.Id, $"NRI plugin {plugin} sets a variable of container {container.Id} that cannot be: '{entry.Key}'.");
            }

            _owners.Claim(container.Id, AdjustedField.Env, entry.Key, plugin);
            ResourceMerge.Remove(container.Env, other => NameOf(other) == entry.Key);
            ResourceMerge.Remove(Merged.Env, other => other.Key == entry.Key);
            container.Env.Add($"{entry.Key}={entry.Value}");
            Merged.Env.Add(entry.Clone());
        }
    }

    /// <summary>Takes things that have a name of their own: some away, some in the place of what had the name.</summary>
    /// <param name="plugin">Who asks.</param>
    /// <param name="field">What they are.</param>
    /// <param name="asked">What is asked for.</param>
    /// <param name="present">Those of the container.</param>
    /// <param name="merged">All that was asked for.</param>
    /// <param name="nameOf">A thing's name.</param>
    /// <param name="nameless">A thing of a name alone, for one that is taken away.</param>
    private void Named<T>(
        string plugin, AdjustedField field, RepeatedField<T> asked, RepeatedField<T> present, RepeatedField<T> merged, Func<T, string> nameOf, Func<string, T> nameless)
        where T : IDeepCloneable<T>
    {
        foreach (string name in asked.Select(nameOf).Where(IsRemoved).Select(Plain))
        {
            _owners.Clear(container.Id, field, name);
            ResourceMerge.Remove(present, other => nameOf(other) == name);
            ResourceMerge.Remove(merged, other => nameOf(other) == name);
            merged.Add(nameless(Removed + name));
        }

        foreach (T item in asked.Where(item => !IsRemoved(nameOf(item))))
        {
            _owners.Claim(container.Id, field, nameOf(item), plugin);
            ResourceMerge.Remove(present, other => nameOf(other) == nameOf(item));
            ResourceMerge.Remove(merged, other => nameOf(other) == nameOf(item));
            present.Add(item.Clone());
            merged.Add(item.Clone());
        }
    }

    /// <summary>An empty first argument takes away what another plugin has set.</summary>
    private void Arguments(string plugin, RepeatedField<string> asked)
    {
        if (asked.Count == 0)
        {
            return;
        }

        if (asked[0].Length == 0)
        {
            _owners.Clear(container.Id, AdjustedField.Args, null);
        }

        string[] arguments = [.. asked.SkipWhile(static (argument, index) => index == 0 && argument.Length == 0)];
        if (arguments.Length == 0)
        {
            throw new PodException(PodFault.Refused, container.Id, $"NRI plugin {plugin} leaves container {container.Id} nothing to run.");
        }

        _owners.Claim(container.Id, AdjustedField.Args, null, plugin);
        container.Args.Clear();
        container.Args.Add(arguments);
        Merged.Args.Clear();
        Merged.Args.Add(arguments);
    }

    private void Rlimits(string plugin, RepeatedField<POSIXRlimit> asked)
    {
        foreach (POSIXRlimit limit in asked)
        {
            _owners.Claim(container.Id, AdjustedField.Rlimits, limit.Type, plugin);
            ResourceMerge.Remove(container.Rlimits, other => other.Type == limit.Type);
            container.Rlimits.Add(limit.Clone());
            Merged.Rlimits.Add(limit.Clone());
        }
    }

    private void Linux(string plugin, LinuxContainerAdjustment asked)
    {
        if (asked.Resources is { } resources)
        {
            ResourceMerge.Apply(resources, Merged.Linux.Resources, (field, key) => _owners.Claim(container.Id, field, key, plugin));
            ResourceMerge.Apply(resources, container.Linux.Resources, static (_, _) => { });
        }

        if (asked.OomScoreAdj is { } score)
        {
            _owners.Claim(container.Id, AdjustedField.OomScoreAdjust, null, plugin);
            container.Linux.OomScoreAdj = score.Clone();
            Merged.Linux.OomScoreAdj = score.Clone();
        }

        if (asked.SeccompPolicy is { } policy)
        {
            _owners.Claim(container.Id, AdjustedField.SeccompPolicy, null, plugin);
            container.Linux.SeccompPolicy = policy.Clone();
            Merged.Linux.SeccompPolicy = policy.Clone();
        }

        Named(
            plugin, AdjustedField.Devices, asked.Devices, container.Linux.Devices, Merged.Linux.Devices, static device => device.Path, static path => new LinuxDevice { Path = path });
    }

    /// <summary>Whether a name asks for its bearer to be taken away.</summary>
    internal static bool IsRemoved(string name) => name.StartsWith(Removed, StringComparison.Ordinal);

    /// <summary>The name without the mark.</summary>
    internal static string Plain(string name) => name[Removed.Length..];

    private static string NameOf(string entry) => entry.Split('=', 2)[0];
}
