using System.Net;
using Grpc.Core;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    /// <remarks>The kubelet's own cgroups of a pod stay empty: containers live in cgroups of their guest. It writes plain files then.</remarks>
    public override Task<V1.RuntimeConfigResponse> RuntimeConfig(V1.RuntimeConfigRequest request, ServerCallContext context) =>
        Task.FromResult(new V1.RuntimeConfigResponse
        {
            Linux = new V1.LinuxRuntimeConfiguration { CgroupDriver = V1.CgroupDriver.Cgroupfs },
        });

    /// <inheritdoc/>
    /// <remarks>
    /// The CNI configuration decides on the pods' addresses: that of the host belongs to its administrator, and our own is a setting of
    /// the daemon. So the cluster's range is checked, as a caller's word, and told to the operator when it is another than ours.
    /// </remarks>
    public override Task<V1.UpdateRuntimeConfigResponse> UpdateRuntimeConfig(V1.UpdateRuntimeConfigRequest request, ServerCallContext context)
    {
        string cidrs = request.RuntimeConfig?.NetworkConfig?.PodCidr ?? "";
        string[] ranges = cidrs.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (ranges.Length > 2 || Array.Find(ranges, static range => !IPNetwork.TryParse(range, out _)) is not null)
        {
            throw new PodException(
                PodFault.InvalidConfig, "pod_cidr", $"network_config.pod_cidr is '{InfoText.Shorten(cidrs)}'; it must be one subnet, or two with a comma between.");
        }

        if (ranges.Length > 0)
        {
            PodRangeTold(string.Join(',', ranges));
        }

        return Task.FromResult(new V1.UpdateRuntimeConfigResponse());
    }

    [LoggerMessage(3010, LogLevel.Information, "The cluster gives this node the pod range {Ranges}; pods get addresses from the CNI configuration (pod-subnets when it is our own)")]
    private partial void PodRangeTold(string ranges);
}
