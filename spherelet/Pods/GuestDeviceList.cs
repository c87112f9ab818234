namespace Vks.Spherelet.Pods;

/// <summary>The devices that a container can ask for by the names they have on hosts: those that every guest has too.</summary>
internal static class GuestDeviceList
{
    /// <summary>Absolute paths, the same on hosts and in guests.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        "/dev/fuse", "/dev/net/tun", "/dev/loop-control", "/dev/hwrng", "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty",
    ];

    /// <summary>Whether a guest has it.</summary>
    public static bool Contains(string path) => All.Contains(path, StringComparer.Ordinal);
}
