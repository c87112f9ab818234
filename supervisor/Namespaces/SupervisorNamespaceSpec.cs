namespace Vks.Supervisor.Namespaces;

/// <summary>What people want of a namespace. The schema in <c>manifests/</c> says what may be in each.</summary>
internal sealed class SupervisorNamespaceSpec
{
    /// <summary>Removed once nothing runs in it.</summary>
    public const string WaitForWorkloads = "WaitForWorkloads";

    /// <summary>Removed with all that is in it.</summary>
    public const string DeleteWorkloads = "DeleteWorkloads";

    /// <summary>The template that it was made from; null for an admin's own.</summary>
    public string? Template { get; set; }

    /// <summary>Who asked for it; written by the admission of the Supervisor.</summary>
    public string? RequestedBy { get; set; }

    /// <summary>For people.</summary>
    public string? Description { get; set; }

    /// <summary>One to three zones that its pods may run in.</summary>
    public IList<string> Zones { get; set; } = [];

    /// <summary>What all pods together may have.</summary>
    public NamespaceLimits? Limits { get; set; }

    /// <summary>What a container has that names no limit or request.</summary>
    public ContainerDefaults? Defaults { get; set; }

    /// <summary>The storage classes that claims may name.</summary>
    public IList<StorageClassLimit>? StorageClasses { get; set; }

    /// <summary>The classes of virtual machines that may be used.</summary>
    public IList<string>? VmClasses { get; set; }

    /// <summary>Who may do what in it.</summary>
    public IList<Permission>? Permissions { get; set; }

    /// <summary>Take a Namespace of this name that is there already.</summary>
    public bool Adopt { get; set; }

    /// <summary><see cref="WaitForWorkloads"/> or <see cref="DeleteWorkloads"/>.</summary>
    public string Removal { get; set; } = WaitForWorkloads;
}
