using System.Globalization;
using System.Text.Json.Nodes;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Vks.Spherelet.Overhead;

/// <summary>Writes on this host's own Node, by the kubelet's right to do so, what a Supervisor's placement and quotas count with.</summary>
/// <param name="kubeconfig">The kubelet's; it comes into being when the kubelet has joined, and its certificate is renewed.</param>
/// <param name="name">The Node.</param>
internal sealed class NodeNotes(string kubeconfig, string name)
{
    /// <summary>Annotation: a pod's host memory beyond what its containers use, a Kubernetes quantity.</summary>
    public const string MemoryAnnotation = "vks.dev/pod-overhead-memory";

    /// <summary>Annotation: its CPU, a Kubernetes quantity.</summary>
    public const string CpuAnnotation = "vks.dev/pod-overhead-cpu";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <summary>The Node.</summary>
    public string Name => name;

    /// <summary>Writes it. The file is read anew each time: it is rare, and the certificate in it changes.</summary>
    /// <exception cref="NodeNotesException">There is no such file, the API server does not answer, or refuses.</exception>
    public async Task TellAsync(PodOverhead overhead, CancellationToken cancellationToken)
    {
        if (!File.Exists(kubeconfig))
        {
            throw new NodeNotesException($"{kubeconfig} is not there. A kubelet writes it when it has joined its cluster.");
        }

        var patch = new JsonObject
        {
            ["metadata"] = new JsonObject
            {
                ["annotations"] = new JsonObject
                {
                    [MemoryAnnotation] = string.Create(CultureInfo.InvariantCulture, $"{overhead.MemoryBytes >> 20}Mi"),
                    [CpuAnnotation] = string.Create(CultureInfo.InvariantCulture, $"{overhead.CpuMillis}m"),
                },
            },
        };
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_patience);
        try
        {
            // A file that is no kubeconfig ends in exceptions of any kind.
            using var client = new k8s.Kubernetes(KubernetesClientConfiguration.BuildConfigFromConfigFile(kubeconfig));
            await client.CoreV1.PatchNodeAsync(new V1Patch(patch.ToJsonString(), V1Patch.PatchType.MergePatch), name, cancellationToken: limit.Token);
        }
        catch (HttpOperationException cause)
        {
            throw new NodeNotesException($"The API server refused to annotate Node {name} with {kubeconfig}: {(int)cause.Response.StatusCode} {cause.Response.Content}", cause);
        }
        catch (Exception cause) when (!cancellationToken.IsCancellationRequested)
        {
            throw new NodeNotesException($"Node {name} could not be annotated with {kubeconfig}: {cause.Message}", cause);
        }
    }
}
