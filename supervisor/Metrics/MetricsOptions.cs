using System.Net;

namespace Vks.Supervisor.Metrics;

/// <summary>Where and how often.</summary>
internal sealed record MetricsOptions
{
    /// <summary>The Service under which the API server finds this program, in <see cref="Namespace"/>.</summary>
    public const string Service = "vks-metrics";

    /// <summary>The namespace of the Service.</summary>
    public const string Namespace = "kube-system";

    /// <summary>An address of this host that every API server reaches; not a loopback one.</summary>
    public required IPAddress Address { get; init; }

    /// <summary>TCP port; 4443 by default.</summary>
    public required int Port { get; init; }

    /// <summary>Between two questions to a kubelet; 15 s by default, 1 s at least.</summary>
    public required TimeSpan Interval { get; init; }

    /// <summary>Finds every fault at once.</summary>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Settings"/>: there are some.</exception>
    public static MetricsOptions Check(string address, int port, int intervalSeconds)
    {
        List<string> faults = [];
        if (!IPAddress.TryParse(address, out IPAddress? parsed) || IPAddress.IsLoopback(parsed) || parsed.Equals(IPAddress.Any) || parsed.Equals(IPAddress.IPv6Any))
        {
            faults.Add($"address must be one of this host that the API servers reach, not '{address}'.");
        }

        if (port is < 1 or > 65535)
        {
            faults.Add($"port must be 1 to 65535, not {port}.");
        }

        if (intervalSeconds is < 1 or > 60)
        {
            faults.Add($"interval-seconds must be 1 to 60, not {intervalSeconds}.");
        }

        return faults.Count == 0
            ? new MetricsOptions { Address = parsed!, Port = port, Interval = TimeSpan.FromSeconds(intervalSeconds) }
            : throw new SupervisorException(SupervisorFault.Settings, string.Join(' ', faults));
    }
}
