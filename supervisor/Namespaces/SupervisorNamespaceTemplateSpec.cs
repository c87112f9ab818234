namespace Vks.Supervisor.Namespaces;

/// <summary>Who may make what.</summary>
internal sealed class SupervisorNamespaceTemplateSpec
{
    /// <summary>Who may make namespaces from it. The role in these is not used: the maker becomes owner.</summary>
    public IList<Permission> Allowed { get; set; } = [];

    /// <summary>How many namespaces one user may have from it.</summary>
    public int MaxPerUser { get; set; } = 5;

    /// <summary>What every namespace made from it gets.</summary>
    public SupervisorNamespaceSpec Namespace { get; set; } = new();
}
