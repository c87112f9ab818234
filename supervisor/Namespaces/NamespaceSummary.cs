namespace Vks.Supervisor.Namespaces;

/// <summary>Used of limits, as <c>1500m/4</c>; null where there is no limit.</summary>
internal sealed class NamespaceSummary
{
    /// <summary>Names of the zones, with commas.</summary>
    public string? Zones { get; set; }

    /// <summary>CPUs.</summary>
    public string? Cpu { get; set; }

    /// <summary>Memory.</summary>
    public string? Memory { get; set; }

    /// <summary>Pods.</summary>
    public string? Pods { get; set; }

    /// <summary>Volume claims.</summary>
    public string? Storage { get; set; }
}
