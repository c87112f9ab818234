namespace Vks.Supervisor.Zones;

/// <summary>Requested of allocatable, as <c>1.5/4</c>.</summary>
internal sealed class HostSummary
{
    /// <summary>CPUs.</summary>
    public string? Cpu { get; set; }

    /// <summary>Memory.</summary>
    public string? Memory { get; set; }

    /// <summary>Pods.</summary>
    public string? Pods { get; set; }
}
