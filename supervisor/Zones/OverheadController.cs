using System.Globalization;
using k8s.Models;
using Vks.Supervisor.Kubernetes;

namespace Vks.Supervisor.Zones;

/// <summary>
/// Keeps the RuntimeClasses of pods as machines, with the overhead that Kubernetes adds to every such pod: in quotas, in placement, and in its limits.
/// It is the largest that any host measured, in steps, so that it does not change with every measurement.
/// </summary>
internal sealed class OverheadController(ClusterView view, ApiClient api) : IController
{
    /// <summary>The class of an ordinary pod.</summary>
    public const string Crx = "crx";

    /// <summary>The class of a pod that shares no memory with others.</summary>
    public const string Isolated = "crx-isolated";

    private const long StepBytes = 16 << 20;
    private const long StepMillis = 10;

    /// <inheritdoc/>
    public string Name => "overhead";

    /// <summary>The overhead that all hosts can keep.</summary>
    public static (long CpuMillis, long MemoryBytes) Largest(IReadOnlyCollection<V1Node> nodes)
    {
        PodOverhead[] measured = [.. nodes.Select(HostPlan.OverheadOf).Where(overhead => overhead.Source == "Measured").DefaultIfEmpty(HostPlan.DefaultOverhead)];
        long millis = measured.Max(overhead => PodRequest.Millis(overhead.Cpu));
        long bytes = measured.Max(overhead => PodRequest.Units(overhead.Memory));
        return ((millis + StepMillis - 1) / StepMillis * StepMillis, (bytes + StepBytes - 1) / StepBytes * StepBytes);
    }

    /// <inheritdoc/>
    public async Task<TimeSpan?> ReconcileAsync(ObjectKey key, CancellationToken cancellationToken)
    {
        (long millis, long bytes) = Largest([.. view.Nodes.All]);
        V1RuntimeClass wanted = new()
        {
            ApiVersion = "node.k8s.io/v1",
            Kind = "RuntimeClass",
            Metadata = new V1ObjectMeta { Name = key.Name },
            Handler = key.Name,
            Overhead = new V1Overhead
            {
                PodFixed = new Dictionary<string, ResourceQuantity>
                {
                    ["cpu"] = new(string.Create(CultureInfo.InvariantCulture, $"{millis}m")),
                    ["memory"] = new(string.Create(CultureInfo.InvariantCulture, $"{bytes >> 20}Mi")),
                },
            },
        };

        // The handler cannot be changed; a class of this name with another one is somebody else's.
        await Ensure.AsAsync(api, wanted, ["overhead"], cancellationToken);
        return null;
    }
}
