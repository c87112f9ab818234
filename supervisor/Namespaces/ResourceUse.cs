namespace Vks.Supervisor.Namespaces;

/// <summary>How much of one limit is used.</summary>
internal sealed class ResourceUse
{
    /// <summary>As ResourceQuota names it.</summary>
    public string Resource { get; set; } = "";

    /// <summary>The limit.</summary>
    public string Limit { get; set; } = "";

    /// <summary>What is used.</summary>
    public string Used { get; set; } = "";
}
