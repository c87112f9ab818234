namespace Vks.Runtime.Host;

/// <summary>A mount of this host.</summary>
/// <param name="Root">What of its file system shows at the mount point, from that file system's root on.</param>
/// <param name="Type">The file system's type.</param>
public sealed record HostMount(string Root, string Type);
