using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Vks.Supervisor.Metrics;

/// <summary>A certificate that this program signs itself at each start; the API server is told of it in the same breath.</summary>
internal static class ServingCertificate
{
    /// <summary>How long it is good for: longer than a program is not restarted.</summary>
    private static readonly TimeSpan s_validity = TimeSpan.FromDays(3650);

    /// <summary>Makes one for a DNS name.</summary>
    public static X509Certificate2 Create(string dnsName, DateTimeOffset now)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new($"CN={dnsName}", key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        names.AddDnsName(dnsName);
        request.CertificateExtensions.Add(names.Build());

        // Its own authority: nobody else signs with this key, which is never stored.
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], critical: false));
        return request.CreateSelfSigned(now.AddMinutes(-5), now + s_validity);
    }
}
