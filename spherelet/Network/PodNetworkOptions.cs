namespace Vks.Spherelet.Network;

/// <summary>Settings of <see cref="CniPodNetwork"/>.</summary>
internal sealed record PodNetworkOptions
{
    /// <summary>Holds what must survive a restart of the daemon: <c>pods/&lt;id&gt;.json</c>, and <c>net.d/</c> with our own configuration.</summary>
    public required string StateDirectory { get; init; }

    /// <summary>Where the host keeps CNI configurations; the first file by name is used. Default <c>/etc/cni/net.d</c>.</summary>
    public string ConfigDirectory { get; init; } = "/etc/cni/net.d";

    /// <summary>Where CNI plugins are looked for, in order. Defaults: upstream's place, then Debian's.</summary>
    public IReadOnlyList<string> PluginDirectories { get; init; } = ["/opt/cni/bin", "/usr/lib/cni"];

    /// <summary>Bridge of our own configuration, 1 to 15 characters; two daemons on one host that share it share its addresses. Default <c>vks0</c>.</summary>
    public string BridgeName { get; init; } = "vks0";

    /// <summary>Pod subnets of our own configuration, one for each IP family. Default <c>10.88.0.0/16</c>.</summary>
    public IReadOnlyList<string> PodSubnets { get; init; } = ["10.88.0.0/16"];

    /// <summary>How long one plugin may take. Default 60 s.</summary>
    public TimeSpan PluginTimeout { get; init; } = TimeSpan.FromSeconds(60);
}
