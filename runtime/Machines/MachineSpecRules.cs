using System.Globalization;
using System.Text.RegularExpressions;

namespace Vks.Runtime.Machines;

/// <summary>The rules that a <see cref="MachineSpec"/> and a <see cref="DiskAttachment"/> keep. Pure; reports every fault at once.</summary>
internal static partial class MachineSpecRules
{
    internal const int MinMemoryMiB = 96;
    internal const int MaxMemoryMiB = 1_048_576;
    internal const int MaxVcpuCount = 64;
    internal const int MinTranslationMiB = 32;
    internal const int MaxTranslationMiB = 2048;
    internal const int MinScratchMiB = 16;
    internal const int MaxScratchMiB = 16 * 1024 * 1024;

    /// <summary>Bytes of an interface name without the end mark: IFNAMSIZ - 1.</summary>
    private const int MaxInterfaceName = 15;

    /// <summary>Every fault of the spec, each naming field, value and rule; empty when there is none.</summary>
    internal static IReadOnlyList<string> FaultsOf(MachineSpec spec)
    {
        var faults = new List<string>();
        Check(faults, spec.Id.Value is not null, "Id is missing");
        CheckRange(faults, nameof(spec.VcpuCount), spec.VcpuCount, 1, MaxVcpuCount);
        CheckRange(faults, nameof(spec.MemoryMiB), spec.MemoryMiB, MinMemoryMiB, MaxMemoryMiB);
        CheckRange(faults, nameof(spec.TranslationMiB), spec.TranslationMiB, MinTranslationMiB, MaxTranslationMiB);
        if (spec.ScratchMiB != 0)
        {
            CheckRange(faults, nameof(spec.ScratchMiB), spec.ScratchMiB, MinScratchMiB, MaxScratchMiB);
        }

        if (spec.SharedDirectory is { } shared)
        {
            CheckPath(faults, nameof(spec.SharedDirectory), shared);
        }

        if (spec.Network is { } network)
        {
            CheckNetwork(faults, network);
        }

        return faults;
    }

    /// <summary>Every fault of the disk; empty when there is none.</summary>
    internal static IReadOnlyList<string> FaultsOf(DiskAttachment disk)
    {
        var faults = new List<string>();
        Check(faults, Serial().IsMatch(disk.Serial ?? ""), $"Serial '{disk.Serial}' is not 1 to 20 characters of A-Z, a-z, 0-9, '_' and '-'");
        Check(faults, disk.Serial != ScratchSerial, $"Serial '{ScratchSerial}' belongs to the scratch disk");
        CheckPath(faults, nameof(disk.Path), disk.Path);
        return faults;
    }

    /// <summary>SCSI serial by which the guest finds the scratch disk.</summary>
    internal const string ScratchSerial = "scratch";

    private static void CheckNetwork(List<string> faults, NetworkAttachment network)
    {
        CheckPath(faults, "Network.NetnsPath", network.NetnsPath);
        Check(
            faults,
            network.TapName is { Length: > 0 and <= MaxInterfaceName } name && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'),
            $"Network.TapName '{network.TapName}' is not 1 to {MaxInterfaceName} letters, digits, '-', '_' or '.'");
        Check(faults, Mac().IsMatch(network.Mac ?? ""), $"Network.Mac '{network.Mac}' is not six hex pairs with colons");
        Check(
            faults,
            !Mac().IsMatch(network.Mac ?? "") || (byte.Parse(network.Mac.AsSpan(0, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture) & 1) == 0,
            $"Network.Mac '{network.Mac}' is a multicast address");
        CheckRange(faults, "Network.Mtu", network.Mtu, 68, 65535);
    }

    private static void CheckPath(List<string> faults, string field, string? path) =>
        Check(
            faults,
            path is ['/', ..] && !path.Any(char.IsControl),
            $"{field} '{path}' is not an absolute path without control characters");

    private static void CheckRange(List<string> faults, string field, int value, int min, int max) =>
        Check(faults, value >= min && value <= max, string.Create(CultureInfo.InvariantCulture, $"{field} {value} is not in {min} to {max}"));

    private static void Check(List<string> faults, bool holds, string fault)
    {
        if (!holds)
        {
            faults.Add(fault);
        }
    }

    [GeneratedRegex("^[A-Za-z0-9_-]{1,20}\\z", RegexOptions.CultureInvariant)]
    private static partial Regex Serial();

    [GeneratedRegex("^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}\\z", RegexOptions.CultureInvariant)]
    private static partial Regex Mac();
}
