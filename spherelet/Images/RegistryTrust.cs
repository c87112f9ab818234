namespace Vks.Spherelet.Images;

/// <summary>How a registry proves who it is: by the host's CAs, or by those of certs.d folders, which have a folder for each registry.</summary>
internal static class RegistryTrust
{
    private static readonly string[] HostFolders = ["/etc/containers/certs.d", "/etc/docker/certs.d"];

    /// <summary>The registry's own folders that there are; each may have <c>*.crt</c> (CAs), <c>*.cert</c> and <c>*.key</c> (client certificates).</summary>
    /// <param name="more">A certs.d beside the host's own, or null.</param>
    /// <param name="registry">Host, with port where one is given.</param>
    public static string[] Folders(string? more, string registry) =>
        [.. HostFolders.Prepend(more).OfType<string>().Select(folder => Path.Combine(folder, registry)).Where(Directory.Exists)];

    /// <summary>Nobody has to prove anything: a registry on this host for which no folder asks for it. As docker and containerd hold it.</summary>
    public static bool IsTakenAsItIs(ImageReference image, string? more) => image.IsLoopback && Folders(more, image.Registry).Length == 0;
}
