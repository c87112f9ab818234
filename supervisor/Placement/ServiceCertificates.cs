using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Vks.Supervisor.Pki;

namespace Vks.Supervisor.Placement;

/// <summary>
/// The certificates between kube-scheduler, kube-apiserver and the placement service, in one folder: an authority that lives ten years, and a server's
/// and a scheduler's certificate that live a year and are made anew in their last third. All members of a control plane share the authority.
/// </summary>
internal sealed class ServiceCertificates(string folder, TimeProvider time)
{
    private static readonly TimeSpan s_authorityLife = TimeSpan.FromDays(3650);
    private static readonly TimeSpan s_life = TimeSpan.FromDays(365);

    /// <summary>Certificate of the authority.</summary>
    public string AuthorityFile => Path.Combine(folder, "ca.crt");

    /// <summary>The scheduler's certificate.</summary>
    public string SchedulerFile => Path.Combine(folder, "scheduler.crt");

    /// <summary>The scheduler's key.</summary>
    public string SchedulerKeyFile => Path.Combine(folder, "scheduler.key");

    /// <summary>Makes what is missing or old.</summary>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Settings"/>: the folder cannot be used.</exception>
    public void Ensure()
    {
        try
        {
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            if (!IsFresh("ca"))
            {
                MakeAuthority();
            }

            foreach ((string name, string subject, string usage) in (ReadOnlySpan<(string, string, string)>)
                [("server", "CN=vks-placement", "1.3.6.1.5.5.7.3.1"), ("scheduler", "CN=system:kube-scheduler", "1.3.6.1.5.5.7.3.2")])
            {
                if (!IsFresh(name))
                {
                    Issue(name, subject, usage);
                }
            }
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new SupervisorException(SupervisorFault.Settings, $"The certificates in {folder} cannot be read or made: {problem.Message} Name another folder with --certificates, or remove the file.", problem);
        }
    }

    /// <summary>The server's certificate with its key.</summary>
    public X509Certificate2 Server()
    {
        // By PKCS#12: a key that was read from PEM is not taken for TLS everywhere.
        using X509Certificate2 read = X509Certificate2.CreateFromPemFile(Path.Combine(folder, "server.crt"), Path.Combine(folder, "server.key"));
        return X509CertificateLoader.LoadPkcs12(read.Export(X509ContentType.Pkcs12), null);
    }

    /// <summary>Whether a client's certificate is of this authority.</summary>
    public bool IsOurs(X509Certificate2 client)
    {
        using X509Certificate2 authority = X509Certificate2.CreateFromPem(File.ReadAllText(AuthorityFile));
        return CustomTrust.LeadsTo(client, [authority]);
    }

    private bool IsFresh(string name)
    {
        if (!File.Exists(Path.Combine(folder, name + ".crt")) || !File.Exists(Path.Combine(folder, name + ".key")))
        {
            return false;
        }

        using X509Certificate2 found = X509Certificate2.CreateFromPem(File.ReadAllText(Path.Combine(folder, name + ".crt")));
        return time.GetUtcNow() < found.NotAfter - ((found.NotAfter - found.NotBefore) / 3);
    }

    private void MakeAuthority()
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new("CN=vks-placement-ca", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        DateTimeOffset now = time.GetUtcNow();
        using X509Certificate2 made = request.CreateSelfSigned(now.AddHours(-1), now + s_authorityLife);
        Store("ca", made.ExportCertificatePem(), key);

        // What an older authority signed is worth nothing now.
        File.Delete(Path.Combine(folder, "server.crt"));
        File.Delete(Path.Combine(folder, "scheduler.crt"));
    }

    private void Issue(string name, string subject, string usage)
    {
        using X509Certificate2 authority = X509Certificate2.CreateFromPemFile(AuthorityFile, Path.Combine(folder, "ca.key"));
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new(subject, key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        names.AddIpAddress(IPAddress.Loopback);
        names.AddIpAddress(IPAddress.IPv6Loopback);
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], false));
        DateTimeOffset now = time.GetUtcNow();

        // Clocks differ: good from before it was made, but not from before its authority was.
        DateTimeOffset begin = new DateTimeOffset(authority.NotBefore) is var least && least > now.AddMinutes(-30) ? least : now.AddMinutes(-30);
        using X509Certificate2 made = request.Create(authority, begin, now + s_life, RandomNumberGenerator.GetBytes(16));
        Store(name, made.ExportCertificatePem(), key);
    }

    // The key first and each by renaming: whoever is killed here leaves either a whole pair or one that is made anew.
    private void Store(string name, string certificate, ECDsa key)
    {
        File.Delete(Path.Combine(folder, name + ".crt"));
        Put(name + ".key", key.ExportPkcs8PrivateKeyPem(), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Put(name + ".crt", certificate, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
    }

    private void Put(string name, string text, UnixFileMode mode)
    {
        string file = Path.Combine(folder, name);
        string fresh = $"{file}.{Environment.ProcessId}";
        File.Delete(fresh);
        using (FileStream stream = new(fresh, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = mode }))
        {
            stream.Write(System.Text.Encoding.ASCII.GetBytes(text + "\n"));
        }

        File.Move(fresh, file, overwrite: true);
    }
}
