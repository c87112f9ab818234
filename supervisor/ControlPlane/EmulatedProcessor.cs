namespace Vks.Supervisor.ControlPlane;

/// <summary>Whether this host's processor is QEMU's software emulation (TCG).</summary>
internal static class EmulatedProcessor
{
    /// <summary>Said by the name of QEMU's processor model <c>max</c>, which machines under emulation have.</summary>
    public static bool IsHere { get; } = IsSaidBy(File.ReadAllText("/proc/cpuinfo"));

    /// <summary>As <see cref="IsHere"/>, from the text.</summary>
    /// <param name="cpuInfo">What /proc/cpuinfo says.</param>
    public static bool IsSaidBy(string cpuInfo) => cpuInfo.Contains("QEMU TCG CPU", StringComparison.Ordinal);
}
