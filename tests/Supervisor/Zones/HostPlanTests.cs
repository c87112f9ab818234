using k8s.Models;
using Microsoft.Extensions.Time.Testing;
using Vks.Supervisor.Zones;

namespace Vks.Tests.Supervisor.Zones;

/// <summary>Hosts, computed from Nodes.</summary>
public sealed class HostPlanTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void A_lost_host_keeps_its_zone()
    {
        Host host = Host.Named("a");
        host.Status = HostPlan.Status(host, Node(), [], _time);
        HostStatus lost = HostPlan.Status(host, null, [], _time);

        Assert.Equal("Ready", host.Status.Phase);
        Assert.Equal(("Lost", "zone-1"), (lost.Phase, lost.Zone));
        Assert.Equal("NodeGone", lost.Conditions!.Single(condition => condition.Type == "Ready").Reason);
    }

    [Theory]
    [InlineData("70Mi", "20m", 20, 80)]
    [InlineData("64Mi", null, 50, 64)]
    [InlineData("rubbish", null, 50, 64)]
    public void The_overhead_is_what_a_host_measured_or_the_default(string memory, string? cpu, long millis, long mebibytes)
    {
        V1Node node = Node();
        node.Metadata.Annotations = new Dictionary<string, string> { [NodeMarks.OverheadMemory] = memory };
        if (cpu is not null)
        {
            node.Metadata.Annotations[NodeMarks.OverheadCpu] = cpu;
        }

        Assert.Equal((millis, mebibytes << 20), OverheadController.Largest([node, Node()]));
    }

    [Fact]
    public void A_pod_asks_for_the_larger_of_its_containers_and_its_first_steps_and_for_its_machine()
    {
        V1Pod pod = new()
        {
            Spec = new V1PodSpec
            {
                Containers = [Container("100m", "100Mi"), Container("200m", "100Mi")],
                InitContainers = [Container("50m", "10Mi", "Always"), Container("400m", "20Mi")],
                Overhead = new Dictionary<string, ResourceQuantity> { ["cpu"] = new("50m"), ["memory"] = new("64Mi") },
            },
        };

        Assert.Equal(new PodRequest(500, (210L + 64) << 20, 50, 64 << 20), PodRequest.Of(pod));
    }

    private static V1Container Container(string cpu, string memory, string? restart = null) => new()
    {
        RestartPolicy = restart,
        Resources = new V1ResourceRequirements { Requests = new Dictionary<string, ResourceQuantity> { ["cpu"] = new(cpu), ["memory"] = new(memory) } },
    };

    private static V1Node Node() => new()
    {
        Metadata = new V1ObjectMeta { Name = "a", Labels = new Dictionary<string, string> { [NodeMarks.Zone] = "zone-1" } },
        Spec = new V1NodeSpec(),
        Status = new V1NodeStatus { Conditions = [new V1NodeCondition { Type = "Ready", Status = "True", Reason = "KubeletReady" }] },
    };
}
