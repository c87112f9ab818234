namespace Vks.Supervisor.Namespaces;

/// <summary>Labels, annotations and names by which the Supervisor knows its own objects.</summary>
internal static class NamespaceMarks
{
    /// <summary>Label on a Namespace and on everything the Supervisor makes in it or for it: the SupervisorNamespace's name.</summary>
    public const string Owner = "supervisor.vks.dev/namespace";

    /// <summary>Annotation on a Namespace that was there before; it is kept when its SupervisorNamespace goes.</summary>
    public const string Adopted = "supervisor.vks.dev/adopted";

    /// <summary>Name of the ResourceQuota and the LimitRange; prefix of the RoleBindings.</summary>
    public const string ObjectName = "supervisor";

    /// <summary>Name of the ResourceQuota that lets nothing new begin while the last look before a removal is taken.</summary>
    public const string RemovalQuota = "supervisor-removal";
}
