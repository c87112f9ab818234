using System.Net.NetworkInformation;

namespace Vks.Supervisor.Configuration;

/// <summary>The links of this host's network namespace. /sys may show another one's, so the kernel is asked.</summary>
internal static class LinkNames
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> All => [.. NetworkInterface.GetAllNetworkInterfaces().Select(static link => link.Name)];

    /// <summary>Whether there is a link of that name.</summary>
    /// <param name="name">The name.</param>
    public static bool Has(string name) => All.Contains(name, StringComparer.Ordinal);
}
