using Vks.Supervisor;
using Vks.Supervisor.Kubernetes;
using Vks.Supervisor.Placement;

namespace Vks.Tests.Supervisor.Placement;

/// <summary>The file for kube-scheduler.</summary>
public sealed class SchedulerConfigTests
{
    [Theory]
    [InlineData("1.20.2", "kubescheduler.config.k8s.io/v1beta1")]
    [InlineData("v1.22.0", "kubescheduler.config.k8s.io/v1beta1")]
    [InlineData("1.24", "kubescheduler.config.k8s.io/v1beta2")]
    [InlineData("1.25", "kubescheduler.config.k8s.io/v1")]
    [InlineData("1.36.0", "kubescheduler.config.k8s.io/v1")]
    public void It_has_the_version_that_the_scheduler_reads(string kubernetes, string version)
    {
        string text = SchedulerConfig.Write(kubernetes, "/etc/scheduler.kubeconfig", "127.0.0.1:10270", "/var/lib/certs", elect: true);

        var file = Assert.Single(Manifests.Parse(text));
        Assert.Equal(version, (string?)file["apiVersion"]);
        Assert.False((bool)file["extenders"]![0]!["ignorable"]!);
        Assert.Equal(100, (int)file["percentageOfNodesToScore"]!);
    }

    [Theory]
    [InlineData("1.19")]
    [InlineData("2.0")]
    [InlineData("latest")]
    public void A_version_without_such_a_file_is_refused(string kubernetes) =>
        Assert.Equal(SupervisorFault.Settings, Assert.Throws<SupervisorException>(() => SchedulerConfig.Write(kubernetes, "k", "a", "f", elect: true)).Fault);
}
