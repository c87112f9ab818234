using k8s.Models;
using Vks.Supervisor.Namespaces;
using Vks.Supervisor.Zones;

namespace Vks.Tests.Supervisor.Namespaces;

/// <summary>The objects that a SupervisorNamespace stands for.</summary>
public sealed class NamespacePlanTests
{
    private static readonly PodOverhead s_overhead = new() { Cpu = new ResourceQuantity("50m"), Memory = new ResourceQuantity("64Mi") };

    [Fact]
    public void The_largest_pod_leaves_room_for_its_machine_in_the_quota()
    {
        NamespacePlan plan = Plan(new SupervisorNamespaceSpec { Limits = new NamespaceLimits { Cpu = new ResourceQuantity("2"), Memory = new ResourceQuantity("4Gi") } });

        V1LimitRangeItem pod = plan.LimitRange().Spec.Limits.Single(item => item.Type == "Pod");

        Assert.Equal(1.95m, pod.Max["cpu"].ToDecimal());
        Assert.Equal((4096 - 64) * 1048576m, pod.Max["memory"].ToDecimal());
        Assert.Equal(2m, plan.Quota([]).Spec.Hard["limits.cpu"].ToDecimal());
    }

    [Fact]
    public void Defaults_are_never_more_than_the_whole_namespace_may_have()
    {
        V1LimitRangeItem container = Plan(new SupervisorNamespaceSpec { Limits = new NamespaceLimits { Cpu = new ResourceQuantity("200m"), Memory = new ResourceQuantity("128Mi") } })
            .LimitRange().Spec.Limits.Single(item => item.Type == "Container");

        Assert.Equal(0.15m, container.DefaultProperty["cpu"].ToDecimal());
        Assert.True(container.DefaultRequest["cpu"].ToDecimal() <= container.DefaultProperty["cpu"].ToDecimal());
        Assert.True(container.DefaultRequest["memory"].ToDecimal() <= container.DefaultProperty["memory"].ToDecimal());
    }

    [Fact]
    public void Storage_classes_that_are_not_named_can_hold_no_claim()
    {
        IDictionary<string, ResourceQuantity> hard = Plan(new SupervisorNamespaceSpec { StorageClasses = [new StorageClassLimit { Name = "fast", Limit = new ResourceQuantity("10Gi") }, new StorageClassLimit { Name = "slow" }] })
            .Quota(["fast", "slow", "other"]).Spec.Hard;

        Assert.Equal(["fast.storageclass.storage.k8s.io/requests.storage", "other.storageclass.storage.k8s.io/persistentvolumeclaims"], hard.Keys.Order());
        Assert.Equal(0m, hard["other.storageclass.storage.k8s.io/persistentvolumeclaims"].ToDecimal());
    }

    private static NamespacePlan Plan(SupervisorNamespaceSpec spec) => new(SupervisorNamespace.Named("team", spec), s_overhead);
}
