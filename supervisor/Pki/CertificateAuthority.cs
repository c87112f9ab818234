using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Vks.Supervisor.Pki;

/// <summary>A key that signs certificates. Elliptic (P-256), as are all keys here: made in a millisecond, small in each handshake.</summary>
internal sealed class CertificateAuthority : IDisposable
{
    private static readonly TimeSpan s_lifetime = TimeSpan.FromDays(3653);

    /// <summary>Clocks of hosts differ; an authority is good from somewhat before it was made.</summary>
    private static readonly TimeSpan s_backdate = TimeSpan.FromMinutes(5);

    private readonly X509Certificate2 _certificate;

    private CertificateAuthority(X509Certificate2 certificate) => _certificate = certificate;

    /// <summary>When it begins to be good, and with it all that it signs.</summary>
    public DateTimeOffset Begin => new(_certificate.NotBefore);

    /// <summary>Makes a new one and writes <c>NAME.crt</c> and <c>NAME.key</c>.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="name">Name of the files.</param>
    /// <param name="commonName">Its common name.</param>
    /// <param name="now">The time.</param>
    public static void Create(string folder, string name, string commonName, DateTimeOffset now)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new(Subject(commonName, ""), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign | X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        using X509Certificate2 certificate = request.CreateSelfSigned(now - s_backdate, now + s_lifetime);

        // The key first: a certificate without its key would look as if it were whole.
        PrivateFiles.Write(Path.Combine(folder, name + ".key"), key.ExportECPrivateKeyPem() + "\n", secret: true);
        PrivateFiles.Write(Path.Combine(folder, name + ".crt"), certificate.ExportCertificatePem() + "\n", secret: false);
    }

    /// <summary>Reads one.</summary>
    /// <param name="folder">Where it is.</param>
    /// <param name="name">Name of its files.</param>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Settings"/>: it is not there, or is none.</exception>
    public static CertificateAuthority Load(string folder, string name)
    {
        string certificate = Path.Combine(folder, name + ".crt");
        try
        {
            return new CertificateAuthority(X509Certificate2.CreateFromPemFile(certificate, Path.Combine(folder, name + ".key")));
        }
        catch (Exception problem) when (problem is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new SupervisorException(
                SupervisorFault.Settings,
                $"reading the authority {certificate}: {problem.Message}. All members of a control plane share their authorities. Do: supervisor member authorities --directory {folder}, "
                + "or copy those of another member",
                problem);
        }
    }

    /// <summary>Signs a new certificate with a new key and writes <c>NAME.crt</c> and <c>NAME.key</c>.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="wanted">What it says.</param>
    /// <param name="lifetime">How long it is good; never longer than the authority itself.</param>
    /// <param name="now">The time.</param>
    public void Issue(string folder, CertificateWanted wanted, TimeSpan lifetime, DateTimeOffset now)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new(Subject(wanted.CommonName, wanted.Organization), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        OidCollection usages = [new("1.3.6.1.5.5.7.3.2")];
        if (wanted.ForServer)
        {
            usages.Add(new("1.3.6.1.5.5.7.3.1"));
            SubjectAlternativeNameBuilder names = new();
            wanted.DnsNames.ToList().ForEach(names.AddDnsName);
            wanted.Addresses.ToList().ForEach(names.AddIpAddress);
            request.CertificateExtensions.Add(names.Build());
        }

        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension(usages, critical: false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(_certificate, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        byte[] serial = RandomNumberGenerator.GetBytes(16);
        serial[0] &= 0x7f;
        DateTimeOffset end = new[] { now + lifetime, new DateTimeOffset(_certificate.NotAfter) }.Min();

        // Not from now: a member whose clock is ahead would make certificates that nobody else takes, and one whose clock is behind would take nobody's new ones.
        using X509Certificate2 certificate = request.Create(_certificate, Begin, end, serial);

        string place = Path.Combine(folder, wanted.Name);
        PrivateFiles.Write(place + ".key", key.ExportECPrivateKeyPem() + "\n", secret: true);
        PrivateFiles.Write(place + ".crt", certificate.ExportCertificatePem() + "\n", secret: false);
    }

    /// <summary>Whether a certificate was signed by this authority.</summary>
    /// <param name="certificate">The certificate.</param>
    public bool Signed(X509Certificate2 certificate) => CustomTrust.LeadsTo(certificate, [_certificate], X509VerificationFlags.IgnoreNotTimeValid);

    /// <inheritdoc/>
    public void Dispose() => _certificate.Dispose();

    private static X500DistinguishedName Subject(string commonName, string organization)
    {
        X500DistinguishedNameBuilder subject = new();
        if (organization.Length > 0)
        {
            subject.AddOrganizationName(organization);
        }

        subject.AddCommonName(commonName);
        return subject.Build();
    }
}
