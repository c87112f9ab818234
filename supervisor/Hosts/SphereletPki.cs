using System.Net;
using Vks.Supervisor.Pki;

namespace Vks.Supervisor.Hosts;

/// <summary>The authority by which a Supervisor and the Spherelets of its hosts know each other. Its key never leaves the Supervisor's folder: no member gets it.</summary>
/// <param name="folder">The folder of the control plane's authorities.</param>
/// <param name="time">The clock.</param>
internal sealed class SphereletPki(string folder, TimeProvider time)
{
    private const string Authority = "machines-ca";
    private const string Client = "machines-client";

    private static readonly TimeSpan s_lifetime = TimeSpan.FromDays(365);

    /// <summary>The authority's certificate: what a Spherelet's <c>--machines-client-ca-file</c> names.</summary>
    public string AuthorityFile => Path.Combine(folder, Authority + ".crt");

    /// <summary>The Supervisor's own certificate and key, without <c>.crt</c> and <c>.key</c>.</summary>
    public string ClientPlace => Path.Combine(folder, Client);

    /// <summary>Makes the authority and the Supervisor's certificate, unless they are there and good.</summary>
    /// <param name="cluster">The control plane's name.</param>
    public void Ensure(string cluster)
    {
        PrivateFiles.MakeFolder(folder);
        if (!File.Exists(AuthorityFile))
        {
            CertificateAuthority.Create(folder, Authority, cluster + "-machines", time.GetUtcNow());
        }

        new CertificateStore(folder, s_lifetime, time).Ensure([new CertificateWanted { Name = Client, Authority = Authority, CommonName = "vks-supervisor" }]);
    }

    /// <summary>Makes a Spherelet's certificate anew: <c>tls.crt</c>, <c>tls.key</c> and, for it to know its clients by, <c>ca.crt</c>.</summary>
    /// <param name="host">The host, with its Spherelet's address.</param>
    /// <param name="output">Folder they are written to; made if it is missing.</param>
    public void IssueFor(HostSettings host, string output)
    {
        string name = new Uri(host.Spherelet).Host.Trim('[', ']');
        bool isAddress = IPAddress.TryParse(name, out IPAddress? address);
        using CertificateAuthority authority = CertificateAuthority.Load(folder, Authority);
        PrivateFiles.MakeFolder(output);
        authority.Issue(
            output, new CertificateWanted { Name = "tls", Authority = Authority, CommonName = host.Name, DnsNames = isAddress ? [host.Name] : [host.Name, name], Addresses = isAddress ? [address!] : [] },
            s_lifetime, time.GetUtcNow());
        PrivateFiles.Write(Path.Combine(output, "ca.crt"), File.ReadAllBytes(AuthorityFile), secret: false);
    }
}
