using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;

namespace Vks.Spherelet.Overhead;

/// <summary>Writes on this host's own Node, by the kubelet's right to do so, what a Supervisor's placement and quotas count with.</summary>
/// <remarks>One request, so without a client library: KubernetesClient.Aot makes this program 18 MB larger and its compilation three minutes longer.</remarks>
/// <param name="place">The Node, and how to get there.</param>
internal sealed class NodeNotes(NodePlace place)
{
    /// <summary>Annotation: a pod's host memory beyond what its containers use, a Kubernetes quantity.</summary>
    public const string MemoryAnnotation = "vks.dev/pod-overhead-memory";

    /// <summary>Annotation: its CPU, a Kubernetes quantity.</summary>
    public const string CpuAnnotation = "vks.dev/pod-overhead-cpu";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <summary>The Node.</summary>
    public string Name => place.Node;

    /// <summary>Writes it. The files are read anew each time: it is rare, and the kubelet's certificate is renewed.</summary>
    /// <exception cref="NodeNotesException">A file is missing or broken, the API server does not answer, or refuses.</exception>
    public async Task TellAsync(PodOverhead overhead, CancellationToken cancellationToken)
    {
        if (!File.Exists(place.CertificateFile))
        {
            throw new NodeNotesException($"{place.CertificateFile} is not there. A kubelet writes it when it has joined its cluster.");
        }

        Uri node = new(place.Server, $"/api/v1/nodes/{place.Node}");
        try
        {
            using X509Certificate2 certificate = X509Certificate2.CreateFromPemFile(place.CertificateFile);
            using HttpClient client = new(Handler(certificate)) { Timeout = s_patience };
            using StringContent patch = new(Patch(overhead), new MediaTypeHeaderValue("application/merge-patch+json"));
            using HttpResponseMessage answer = await client.PatchAsync(node, patch, cancellationToken);
            if (!answer.IsSuccessStatusCode)
            {
                throw new NodeNotesException(
                    $"PATCH {node} with {place.CertificateFile} was refused: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync(cancellationToken)}");
            }
        }
        catch (Exception cause) when (
            cause is HttpRequestException or CryptographicException or IOException or UnauthorizedAccessException
            || (cause is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw new NodeNotesException($"PATCH {node} with {place.CertificateFile} and {place.AuthorityFile} failed: {cause.Message}", cause);
        }
    }

    private static string Patch(PodOverhead overhead) => new JsonObject
    {
        ["metadata"] = new JsonObject
        {
            ["annotations"] = new JsonObject
            {
                [MemoryAnnotation] = string.Create(CultureInfo.InvariantCulture, $"{overhead.MemoryBytes >> 20}Mi"),
                [CpuAnnotation] = string.Create(CultureInfo.InvariantCulture, $"{overhead.CpuMillis}m"),
            },
        },
    }.ToJsonString();

    private SocketsHttpHandler Handler(X509Certificate2 certificate)
    {
        X509ChainPolicy trust = new()
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        };
        trust.CustomTrustStore.ImportFromPemFile(place.AuthorityFile);
        return new SocketsHttpHandler
        {
            UseProxy = false,
            SslOptions = new SslClientAuthenticationOptions
            {
                CertificateChainPolicy = trust,
                ClientCertificateContext = SslStreamCertificateContext.Create(certificate, additionalCertificates: null, offline: true),
            },
        };
    }
}
