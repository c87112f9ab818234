using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using k8s;
using k8s.Models;
using Vks.Supervisor.Pki;

namespace Vks.Supervisor.Metrics;

/// <summary>Who may speak for users: the API servers, by the certificates that the cluster publishes for programs behind them.</summary>
/// <remarks>The ConfigMap <c>extension-apiserver-authentication</c> of kube-system, which every kube-apiserver writes at its start.</remarks>
internal sealed class FrontProxy
{
    private readonly X509Certificate2Collection _authorities = [];
    private readonly string[] _names;

    private FrontProxy(string authorities, string[] names)
    {
        _authorities.ImportFromPem(authorities);
        _names = names;
    }

    /// <summary>Reads it from the cluster.</summary>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.ControlPlane"/>: the API servers run without a front proxy.</exception>
    public static async Task<FrontProxy> ReadAsync(IKubernetes client, CancellationToken cancellationToken)
    {
        V1ConfigMap settings = await client.CoreV1.ReadNamespacedConfigMapAsync("extension-apiserver-authentication", "kube-system", cancellationToken: cancellationToken);
        return settings.Data.TryGetValue("requestheader-client-ca-file", out string? authorities)
            ? new FrontProxy(authorities, JsonSerializer.Deserialize<string[]>(settings.Data.TryGetValue("requestheader-allowed-names", out string? names) ? names : "[]") ?? [])
            : throw new SupervisorException(
                SupervisorFault.ControlPlane,
                "The API servers have no front-proxy certificate, so they cannot pass requests on. Start kube-apiserver with --requestheader-client-ca-file and --proxy-client-cert-file.");
    }

    /// <summary>Whether a connection is an API server's.</summary>
    public bool IsTrusted(X509Certificate2 certificate) =>
        CustomTrust.LeadsTo(certificate, _authorities)
        && (_names.Length == 0 || _names.Contains(certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false), StringComparer.Ordinal));
}
