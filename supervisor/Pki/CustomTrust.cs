using System.Security.Cryptography.X509Certificates;

namespace Vks.Supervisor.Pki;

/// <summary>Trust in authorities of our own choice, whatever the host trusts besides.</summary>
internal static class CustomTrust
{
    /// <summary>Whether a certificate leads to one of some authorities.</summary>
    /// <param name="certificate">The certificate.</param>
    /// <param name="authorities">The only roots that count; nothing is fetched to find a way to them.</param>
    /// <param name="forgiven">What does not count against it.</param>
    public static bool LeadsTo(X509Certificate2 certificate, X509Certificate2Collection authorities, X509VerificationFlags forgiven = X509VerificationFlags.NoFlag)
    {
        using X509Chain chain = new();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationFlags = forgiven;
        return chain.Build(certificate);
    }
}
