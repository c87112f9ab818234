using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Vks.Spherelet.Node;

namespace Vks.Spherelet.Machines;

/// <summary>TLS of the machines API with both sides known. Files are read anew when they have changed, so that renewed certificates need no restart.</summary>
/// <remarks>Files that are half replaced, or broken, do not end the service: what was good last goes on, and the log says so once.</remarks>
internal sealed partial class MachinesTls(string certificateFile, string keyFile, string clientAuthorityFile, ILogger<MachinesTls> logger)
{
    /// <summary>id-kp-clientAuth of RFC 5280.</summary>
    private const string ClientUsage = "1.3.6.1.5.5.7.3.2";

    private readonly Lock _lock = new();
    private Material? _material;
    private string _refused = "";

    /// <summary>Reads the files, so that what is wrong with them is told before anything is served.</summary>
    /// <exception cref="NodeException"><see cref="NodeFault.NotPermitted"/>: they cannot be used.</exception>
    public void Check()
    {
        try
        {
            lock (_lock)
            {
                _material = Load(Stamp());
            }
        }
        catch (Exception problem) when (IsOfFiles(problem))
        {
            throw new NodeException(
                NodeFault.NotPermitted,
                $"The certificates of the machines API cannot be used: {problem.Message} See machines-cert-file ({certificateFile}), machines-key-file ({keyFile}) and machines-client-ca-file ({clientAuthorityFile}).",
                problem);
        }
    }

    /// <summary>The server's side of one new connection.</summary>
    public SslServerAuthenticationOptions Options()
    {
        Material material = Present();
        return new SslServerAuthenticationOptions
        {
            ServerCertificateContext = material.Server,
            ClientCertificateRequired = true,
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
            RemoteCertificateValidationCallback = (_, certificate, _, _) => IsClient(certificate, material.ClientAuthorities),
        };
    }

    private static bool IsClient(X509Certificate? certificate, X509Certificate2Collection authorities)
    {
        if (certificate is null)
        {
            return false;
        }

        using X509Certificate2 client = new(certificate);
        using X509Chain chain = new();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ClientUsage));
        return chain.Build(client);
    }

    private Material Present()
    {
        lock (_lock)
        {
            string stamp = Stamp();
            if (_material is not null && (_material.Stamp == stamp || _refused == stamp))
            {
                return _material;
            }

            try
            {
                _material = Load(stamp);
                Read(certificateFile, _material.Server.TargetCertificate.NotAfter);
            }
            catch (Exception problem) when (_material is not null && IsOfFiles(problem))
            {
                _refused = stamp;
                NotRead(certificateFile, problem);
            }

            return _material;
        }
    }

    private Material Load(string stamp)
    {
        using X509Certificate2 read = X509Certificate2.CreateFromPemFile(certificateFile, keyFile);
        X509Certificate2Collection more = [];
        more.ImportFromPemFile(certificateFile);
        X509Certificate2Collection authorities = [];
        authorities.ImportFromPemFile(clientAuthorityFile);
        if (authorities.Count == 0)
        {
            throw new CryptographicException($"{clientAuthorityFile} holds no certificate.");
        }

        // Behind the first one in the file there may be those between it and its root.
        return new Material(stamp, SslStreamCertificateContext.Create(new X509Certificate2(read), [.. more.Skip(1)], offline: true), authorities);
    }

    private string Stamp() => string.Join('|', new[] { certificateFile, keyFile, clientAuthorityFile }.Select(static file =>
    {
        FileInfo info = new(file);
        return info.Exists ? $"{info.LastWriteTimeUtc.Ticks}:{info.Length}" : "";
    }));

    private static bool IsOfFiles(Exception problem) => problem is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException;

    private sealed record Material(string Stamp, SslStreamCertificateContext Server, X509Certificate2Collection ClientAuthorities);

    [LoggerMessage(3820, LogLevel.Information, "Certificates of the machines API were read anew: {File} is good until {End:u}")]
    private partial void Read(string file, DateTime end);

    [LoggerMessage(3821, LogLevel.Warning, "Certificates of the machines API have changed and cannot be read; those read before go on: {File}")]
    private partial void NotRead(string file, Exception problem);
}
