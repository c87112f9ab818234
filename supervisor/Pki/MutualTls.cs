using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Vks.Supervisor.Pki;

/// <summary>Connections on which both sides show certificates of one authority.</summary>
internal static class MutualTls
{
    /// <summary>A client's side. Files are read at each new connection, so renewed certificates need no restart.</summary>
    /// <param name="authorityFile">The authority that signed the server's certificate, PEM.</param>
    /// <param name="clientPlace">The client's files without <c>.crt</c> and <c>.key</c>.</param>
    /// <param name="serverName">The name that the server's certificate must have, when it is not the URL's; or null.</param>
    public static SocketsHttpHandler Client(string authorityFile, string clientPlace, string? serverName = null) => new()
    {
        // A peer that was cut off sends nothing, not even an end: the connection must not be taken for a good one.
        KeepAlivePingDelay = TimeSpan.FromSeconds(2),
        KeepAlivePingTimeout = TimeSpan.FromSeconds(2),
        KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
        PooledConnectionLifetime = TimeSpan.FromMinutes(10),
        ConnectTimeout = TimeSpan.FromSeconds(2),
        UseProxy = false,
        SslOptions = new SslClientAuthenticationOptions
        {
            TargetHost = serverName,
            LocalCertificateSelectionCallback = (_, _, _, _, _) => X509Certificate2.CreateFromPemFile(clientPlace + ".crt", clientPlace + ".key"),
            RemoteCertificateValidationCallback = (_, certificate, _, errors) => Trusted(certificate, errors, authorityFile),
        },
    };

    private static bool Trusted(X509Certificate? certificate, SslPolicyErrors errors, string authorityFile)
    {
        // The name is checked by the framework; only the root is ours to judge.
        if (certificate is null || (errors & ~SslPolicyErrors.RemoteCertificateChainErrors) != SslPolicyErrors.None)
        {
            return false;
        }

        using X509Certificate2 root = X509CertificateLoader.LoadCertificateFromFile(authorityFile);
        using X509Certificate2 server = new(certificate);
        return CustomTrust.LeadsTo(server, [root]);
    }
}
