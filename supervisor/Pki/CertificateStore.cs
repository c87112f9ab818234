using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Vks.Supervisor.Pki;

/// <summary>The certificates of one folder, kept as they are wanted: made when missing, and anew before they end or when what they should say has changed.</summary>
/// <param name="folder">The folder; its authorities are there already.</param>
/// <param name="lifetime">How long a new certificate is good.</param>
/// <param name="time">The clock.</param>
internal sealed class CertificateStore(string folder, TimeSpan lifetime, TimeProvider time)
{
    /// <summary>Makes what is missing, wrong, or has less than a third of its life left.</summary>
    /// <param name="wanted">All certificates.</param>
    /// <param name="all">Makes every one anew, whatever its state.</param>
    /// <returns>Each that was made, and why; empty when all were good.</returns>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Settings"/>: an authority is not there.</exception>
    public IReadOnlyList<(string Name, string Why)> Ensure(IReadOnlyList<CertificateWanted> wanted, bool all = false)
    {
        List<(string, string)> made = [];
        foreach (IGrouping<string, CertificateWanted> group in wanted.GroupBy(static certificate => certificate.Authority))
        {
            using CertificateAuthority authority = CertificateAuthority.Load(folder, group.Key);
            foreach (CertificateWanted certificate in group)
            {
                string why = all ? "asked for" : Unfit(certificate, authority);
                if (why.Length > 0)
                {
                    authority.Issue(folder, certificate, lifetime, time.GetUtcNow());
                    made.Add((certificate.Name, why));
                }
            }
        }

        return made;
    }

    /// <summary>When the first of the certificates ends.</summary>
    /// <param name="wanted">All certificates.</param>
    public DateTimeOffset FirstEnd(IReadOnlyList<CertificateWanted> wanted) => wanted.Min(certificate =>
    {
        using X509Certificate2 found = X509CertificateLoader.LoadCertificateFromFile(Path.Combine(folder, certificate.Name + ".crt"));
        return new DateTimeOffset(found.NotAfter);
    });

    private string Unfit(CertificateWanted wanted, CertificateAuthority authority)
    {
        string place = Path.Combine(folder, wanted.Name);
        if (!File.Exists(place + ".crt") || !File.Exists(place + ".key"))
        {
            return "missing";
        }

        try
        {
            // Reads the key, too: after a crash between the two files they do not belong together.
            using X509Certificate2 found = X509Certificate2.CreateFromPemFile(place + ".crt", place + ".key");
            DateTimeOffset now = time.GetUtcNow();
            DateTimeOffset end = new(found.NotAfter);
            return !authority.Signed(found) ? "signed by another authority"
                : now < new DateTimeOffset(found.NotBefore) && authority.Begin < new DateTimeOffset(found.NotBefore) ? "not good yet"
                : end - now < lifetime / 3 ? $"ends {end:u}"
                : !Says(found, wanted) ? "its names have changed"
                : "";
        }
        catch (Exception problem) when (problem is CryptographicException or ArgumentException)
        {
            return $"unreadable: {problem.Message}";
        }
    }

    private static bool Says(X509Certificate2 found, CertificateWanted wanted)
    {
        X509SubjectAlternativeNameExtension? names = found.Extensions.OfType<X509SubjectAlternativeNameExtension>().FirstOrDefault();
        return found.GetNameInfo(X509NameType.SimpleName, forIssuer: false) == wanted.CommonName
            && (wanted.Organization.Length == 0 || found.Subject.Contains("O=" + wanted.Organization, StringComparison.Ordinal))
            && wanted.DnsNames.All(name => names is not null && names.EnumerateDnsNames().Contains(name))
            && wanted.Addresses.All(address => names is not null && names.EnumerateIPAddresses().Contains(address));
    }
}
