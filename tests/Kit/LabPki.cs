using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Vks.Tests.Kit;

/// <summary>An authority for one API server on 127.0.0.1, and kubeconfigs with certificates of it.</summary>
internal sealed class LabPki : IDisposable
{
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly X509Certificate2 _authority;
    private readonly DateTimeOffset _now = TimeProvider.System.GetUtcNow();
    private readonly string _folder;

    /// <summary>Makes the authority, the server's certificate and the key of service accounts in a folder.</summary>
    public LabPki(string folder)
    {
        _folder = folder;
        CertificateRequest request = new("CN=vks-test", _key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        _authority = request.CreateSelfSigned(_now.AddHours(-2), _now.AddHours(12));
        File.WriteAllText(PathOf("ca.crt"), _authority.ExportCertificatePem());
        File.WriteAllText(PathOf("ca.key"), _key.ExportPkcs8PrivateKeyPem());
        SubjectAlternativeNameBuilder names = new();
        names.AddIpAddress(IPAddress.Loopback);
        names.AddDnsName("kubernetes.default.svc");
        Issue("apiserver", "CN=kube-apiserver", names.Build());
        using ECDsa accounts = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        
        // kube-apiserver reads keys of accounts in the older form only.
        File.WriteAllText(PathOf("accounts.key"), accounts.ExportECPrivateKeyPem());
    }

    /// <summary>The path of a file of this folder.</summary>
    public string PathOf(string name) => Path.Combine(_folder, name);

    /// <summary>Makes a certificate for a client.</summary>
    /// <param name="name">Of its files.</param>
    /// <param name="subject">User as CN, groups as O.</param>
    /// <param name="more">An extension for servers.</param>
    public void Issue(string name, string subject, X509Extension? more = null)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")], false));
        if (more is not null)
        {
            request.CertificateExtensions.Add(more);
        }

        using X509Certificate2 made = request.Create(_authority, _now.AddHours(-1), _now.AddHours(11), RandomNumberGenerator.GetBytes(8));
        File.WriteAllText(PathOf(name + ".crt"), made.ExportCertificatePem());
        File.WriteAllText(PathOf(name + ".key"), key.ExportPkcs8PrivateKeyPem());
    }

    /// <summary>A kubeconfig of a client that has a certificate.</summary>
    public string Kubeconfig(string name, int port)
    {
        string file = PathOf(name + ".kubeconfig");
        File.WriteAllText(file, $$"""
            apiVersion: v1
            kind: Config
            clusters: [{ name: lab, cluster: { server: "https://127.0.0.1:{{port}}", certificate-authority: "{{PathOf("ca.crt")}}" } }]
            users: [{ name: {{name}}, user: { client-certificate: "{{PathOf(name + ".crt")}}", client-key: "{{PathOf(name + ".key")}}" } }]
            contexts: [{ name: lab, context: { cluster: lab, user: {{name}} } }]
            current-context: lab
            """);
        return file;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _authority.Dispose();
        _key.Dispose();
    }
}
