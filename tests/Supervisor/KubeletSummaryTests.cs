using System.Text;
using System.Text.Json;
using CsCheck;
using Vks.Supervisor.Metrics;

namespace Vks.Tests.Supervisor;

/// <summary>What is read of a kubelet's summary.</summary>
public sealed class KubeletSummaryTests
{
    [Fact]
    public void Figures_of_node_pods_and_containers_are_read_and_what_has_none_is_left_out()
    {
        NodeUse use = Read("""
            { "node": { "nodeName": "n", "cpu": { "time": "2026-01-02T03:04:05Z", "usageNanoCores": 17 }, "memory": { "workingSetBytes": 4096 } },
              "pods": [
                { "podRef": { "name": "a", "namespace": "s", "uid": "1" }, "containers": [
                    { "name": "ready", "cpu": { "time": "2026-01-02T03:04:06Z", "usageNanoCores": 5 }, "memory": { "workingSetBytes": 9 } },
                    { "name": "new", "cpu": { "time": "2026-01-02T03:04:06Z" }, "memory": {} } ] },
                { "podRef": { "name": "b", "namespace": "s", "uid": "2" }, "containers": [] },
                { "podRef": { "name": "c", "namespace": "s", "uid": "3" } } ] }
            """);

        Assert.Equal(new ResourceUse(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero), 17, 4096), use.Node);
        PodUse pod = Assert.Single(use.Pods);
        Assert.Equal(("s", "a"), (pod.Namespace, pod.Name));
        Assert.Equal(("ready", 5UL, 9UL), pod.Containers.Select(container => (container.Key, container.Value.NanoCores, container.Value.WorkingSetBytes)).Single());
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("""{ "node": { "cpu": { "time": 3, "usageNanoCores": 1 }, "memory": { "workingSetBytes": 1 } } }""")]
    [InlineData("""{ "node": { "cpu": { "time": "2026-01-02T03:04:05Z", "usageNanoCores": -1 }, "memory": { "workingSetBytes": 1 } } }""")]
    [InlineData("""{ "pods": [ { "containers": [] } ] }""")]
    public void Another_shape_is_an_error_that_the_sampler_expects(string answer) => Assert.ThrowsAny<JsonException>(() => Read(answer));

    [Fact]
    public void No_text_makes_it_fail_otherwise() => Gen.String.Sample(text =>
    {
        try
        {
            _ = Read(text);
        }
        catch (JsonException)
        {
            // The one error there is.
        }
    });

    private static NodeUse Read(string answer) => KubeletSummary.Read(new MemoryStream(Encoding.UTF8.GetBytes(answer)));
}
