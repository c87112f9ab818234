using System.Net;

namespace Vks.Supervisor.Pki;

/// <summary>A certificate as it should be.</summary>
internal sealed record CertificateWanted
{
    /// <summary>Name of its files, without <c>.crt</c> and <c>.key</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Name of the authority that signs it.</summary>
    public required string Authority { get; init; }

    /// <summary>Its common name: who the holder is.</summary>
    public required string CommonName { get; init; }

    /// <summary>Its organization: in Kubernetes the holder's group; or empty.</summary>
    public string Organization { get; init; } = "";

    /// <summary>Names under which a server is reached. With these or <see cref="Addresses"/> it is good for servers as well as for clients.</summary>
    public IReadOnlyList<string> DnsNames { get; init; } = [];

    /// <summary>Addresses under which a server is reached.</summary>
    public IReadOnlyList<IPAddress> Addresses { get; init; } = [];

    /// <summary>Whether it is for a server, too.</summary>
    public bool ForServer => DnsNames.Count + Addresses.Count > 0;
}
