using System.Diagnostics;
using k8s;
using k8s.Autorest;
using k8s.Models;
using Vks.Bench.Arms;
using Vks.Bench.Results;

namespace Vks.Bench.Sections;

/// <summary>
/// Pods as people make them: created in an API server, started by an upstream kubelet, timed until that says Ready. Two nodes of one
/// cluster, one with our daemon and one with containerd and runc, in turn.
/// </summary>
internal sealed class NodeSection : ISection
{
    private const string Namespace = "default";

    /// <summary>A pod that takes longer is counted as failed.</summary>
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);

    /// <inheritdoc/>
    public string Name => Measures.Node;

    /// <inheritdoc/>
    public string Title => "pods through a kubelet";

    /// <inheritdoc/>
    public bool IsOnRequest => true;

    /// <inheritdoc/>
    public int CountSteps(BenchContext context) => context.Plan.SerialPods * 2;

    /// <inheritdoc/>
    public async Task RunAsync(BenchContext context, CancellationToken cancellationToken)
    {
        await using NodeLab lab = await NodeLab.StartAsync(context, cancellationToken);
        (string Arm, string Node)[] nodes = [(ArmNames.Clone, NodeLab.OwnNode), (ArmNames.Containerd, NodeLab.PeerNode)];
        foreach ((_, string node) in nodes)
        {
            // Images and templates are there then.
            for (int count = 0; count < context.Plan.WarmUpPods; count++)
            {
                await MeasureAsync(lab, node, cancellationToken);
            }
        }

        for (int round = 0; round < context.Plan.SerialPods; round++)
        {
            foreach ((string arm, string node) in round % 2 == 0 ? nodes : nodes.Reverse())
            {
                try
                {
                    (double ready, double gone) = await MeasureAsync(lab, node, cancellationToken);
                    context.Recorder.Add(Name, Measures.ToReady, arm, "ms", ready);
                    context.Recorder.Add(Name, "delete to gone", arm, "ms", gone);
                }
                catch (Exception problem) when (problem is HttpOperationException or TimeoutException or HttpRequestException && !cancellationToken.IsCancellationRequested)
                {
                    context.Recorder.Fail(Name, arm, problem.Message);
                }

                context.Step();
            }
        }
    }

    /// <summary>One pod: from its creation to Ready, and from its deletion until it is gone, in milliseconds.</summary>
    private static async Task<(double Ready, double Gone)> MeasureAsync(NodeLab lab, string node, CancellationToken cancellationToken)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_limit);
        string name = $"bench-{Guid.NewGuid():N}";
        V1Pod pod = new()
        {
            Metadata = new V1ObjectMeta { Name = name },
            Spec = new V1PodSpec
            {
                NodeName = node,
                TerminationGracePeriodSeconds = 0,
                Containers = [new V1Container { Name = "c", Image = lab.Image, ImagePullPolicy = "IfNotPresent", Command = ["sleep", "1000"] }],
            },
        };
        try
        {
            long created = Stopwatch.GetTimestamp();
            V1Pod made = await lab.Client.CoreV1.CreateNamespacedPodAsync(pod, Namespace, cancellationToken: limit.Token);
            double ready = await SeeAsync(lab, name, made.ResourceVersion(), IsReady, created, limit.Token);
            long deleted = Stopwatch.GetTimestamp();
            V1Pod last = await lab.Client.CoreV1.DeleteNamespacedPodAsync(name, Namespace, new V1DeleteOptions(), cancellationToken: limit.Token);
            return (ready, await SeeAsync(lab, name, last.ResourceVersion(), static (type, _) => type == WatchEventType.Deleted, deleted, limit.Token));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"Pod {name} on {node} was not there, or not gone, within {s_limit.TotalSeconds:F0} s. Look at the logs in {lab.Directory}.");
        }
    }

    private static bool IsReady(WatchEventType type, V1Pod pod) =>
        pod.Status?.Conditions?.Any(static condition => condition is { Type: "Ready", Status: "True" }) == true;

    /// <summary>Watches a pod until something is so; the milliseconds since <paramref name="since"/>.</summary>
    private static async Task<double> SeeAsync(
        NodeLab lab, string name, string version, Func<WatchEventType, V1Pod, bool> seen, long since, CancellationToken cancellationToken)
    {
        await foreach ((WatchEventType type, V1Pod now) in lab.Client.CoreV1.WatchListNamespacedPodAsync(
            Namespace, fieldSelector: $"metadata.name={name}", resourceVersion: version, cancellationToken: cancellationToken))
        {
            if (seen(type, now))
            {
                return Stopwatch.GetElapsedTime(since).TotalMilliseconds;
            }
        }

        throw new TimeoutException($"The API server ended the watch of pod {name}.");
    }
}
