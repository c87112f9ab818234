namespace Vks.Spherelet.Images;

/// <summary>Reads the host out of the many ways in which people and tools name a registry.</summary>
internal static class RegistryHost
{
    private static readonly string[] DockerHub = ["docker.io", "index.docker.io", "registry-1.docker.io"];

    /// <summary>The host, with port where one is given: of <c>https://index.docker.io/v1/</c> it is <c>docker.io</c>.</summary>
    /// <param name="address">A URL, a host, or a host with a path; may be empty.</param>
    public static string Of(string address)
    {
        int scheme = address.IndexOf("://", StringComparison.Ordinal);
        string host = (scheme < 0 ? address : address[(scheme + 3)..]).Split('/')[0].ToLowerInvariant();
        return Array.IndexOf(DockerHub, host) >= 0 ? DockerHub[0] : host;
    }
}
