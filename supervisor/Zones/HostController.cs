using k8s.Models;
using Vks.Supervisor.Kubernetes;

namespace Vks.Supervisor.Zones;

/// <summary>Keeps a Host for every Node there ever was, until somebody deletes it.</summary>
internal sealed class HostController(ClusterView view, ApiClient api, EventRecorder events, TimeProvider time) : IController
{
    /// <inheritdoc/>
    public string Name => "host";

    /// <inheritdoc/>
    public async Task<TimeSpan?> ReconcileAsync(ObjectKey key, CancellationToken cancellationToken)
    {
        V1Node? node = view.Nodes.Find("", key.Name);
        Host? host = await api.FindAsync<Host>(null, key.Name, cancellationToken);
        if (host is null && node is null)
        {
            return null;
        }

        host ??= await api.CreateAsync(Host.Named(key.Name), cancellationToken);
        if (host.IsBeingRemoved)
        {
            return null;
        }

        string? phase = host.Status?.Phase;
        HostStatus status = HostPlan.Status(host, node, [.. view.PodsOn(key.Name)], time);
        if (await StatusWriter.WriteAsync<Host, HostSpec, HostStatus>(api, host, status, cancellationToken) && phase != status.Phase)
        {
            V1Condition ready = status.Conditions!.Single(condition => condition.Type == HostPlan.Ready);
            await events.TellAsync(host, status.Phase != "Ready", $"Host{status.Phase}", $"Zone {status.Zone ?? "unknown"}. {ready.Message}".TrimEnd(), cancellationToken);
        }

        return null;
    }
}
