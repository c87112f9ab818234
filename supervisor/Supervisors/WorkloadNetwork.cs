using System.Text.Json.Serialization;

namespace Vks.Supervisor.Supervisors;

/// <summary>Addresses of pods and Services.</summary>
internal sealed class WorkloadNetwork
{
    /// <summary>Of pods; null when nodes have theirs from elsewhere.</summary>
    [JsonPropertyName("podCIDRs")]
    public IList<string>? PodCidrs { get; set; }

    /// <summary>Of Services.</summary>
    [JsonPropertyName("serviceCIDRs")]
    public IList<string>? ServiceCidrs { get; set; }
}
