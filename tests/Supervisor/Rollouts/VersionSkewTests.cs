using Vks.Supervisor.Operations;
using Vks.Supervisor.Rollouts;

namespace Vks.Tests.Supervisor.Rollouts;

/// <summary>Which versions may follow which.</summary>
public sealed class VersionSkewTests
{
    [Theory]
    [InlineData("v1.20.2", "v1.20.2", "v1.20.2", "")]
    [InlineData("v1.21.0", "v1.20.2", "v1.20.2", "")]
    [InlineData("v1.21.0", "v1.20.2", "v1.19.9", "")]
    [InlineData("v1.30.0+k3s1", "v1.29.4", "v1.27.1", "")]
    [InlineData("v1.20.1", "v1.20.2", "v1.20.1", "is older")]
    [InlineData("v1.22.0", "v1.20.2", "v1.20.2", "go to v1.21 first")]
    [InlineData("v2.0.0", "v1.20.2", "v2.0.0", "more than one minor version later")]
    [InlineData("v1.20.9", "v1.20.2", "v1.21.0", "newer than v1.20.9")]
    [InlineData("v1.23.0", "v1.22.4", "v1.20.2", "put a kubelet of v1.21 or later")]
    [InlineData("v1.31.0", "v1.30.4", "v1.27.2", "put a kubelet of v1.28 or later")]
    public void A_version_is_refused_with_the_reason(string wanted, string running, string kubelet, string told)
    {
        Finding[] findings =
        [
            .. VersionSkew.Judge(
                KubernetesVersion.From(wanted)!.Value, new Dictionary<string, KubernetesVersion> { ["demo-1"] = KubernetesVersion.From(running)!.Value },
                new Dictionary<string, KubernetesVersion> { ["node-1"] = KubernetesVersion.From(kubelet)!.Value }),
        ];

        Assert.Equal(told.Length > 0, findings.Length > 0);
        Assert.All(findings, finding => Assert.Contains(told, finding.What + finding.Fix, StringComparison.Ordinal));
    }
}
