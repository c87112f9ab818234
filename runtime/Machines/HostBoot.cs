namespace Vks.Runtime.Machines;

/// <summary>The host's present boot.</summary>
internal static class HostBoot
{
    /// <summary>Random id of this boot (random(4)).</summary>
    internal static string Id { get; } = File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();
}
