using k8s.Models;
using Vks.Supervisor.Kubernetes;

namespace Vks.Supervisor.Namespaces;

/// <summary>What one look at a namespace knows: filled by the phases, read by the conditions at the end.</summary>
internal sealed class NamespaceScope(SupervisorNamespace wanted, NamespacePlan plan)
{
    /// <summary>What people want.</summary>
    public SupervisorNamespace Wanted { get; set; } = wanted;

    /// <summary>The objects that it stands for.</summary>
    public NamespacePlan Plan { get; } = plan;

    /// <summary>Its name.</summary>
    public string Name => Wanted.Metadata.Name;

    /// <summary>The Namespace as the server has it; null: none, or not looked yet.</summary>
    public V1Namespace? Namespace { get; set; }

    /// <summary>A Namespace of this name is there that is not ours and may not be taken.</summary>
    public bool NotOurs { get; set; }

    /// <summary>The quota as the server has it.</summary>
    public V1ResourceQuota? Quota { get; set; }

    /// <summary>The limit range as the server has it.</summary>
    public V1LimitRange? LimitRange { get; set; }

    /// <summary>How many role bindings are as they should be; null: not looked yet.</summary>
    public int? RoleBindings { get; set; }

    /// <summary>What still runs, in a namespace that is to go; null: not looked yet.</summary>
    public IReadOnlyList<string>? Workloads { get; set; }

    /// <summary>What the server refused, and in which phase.</summary>
    public (string Phase, ApiException Cause)? Refused { get; set; }
}
