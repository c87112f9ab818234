using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;

namespace Vks.Spherelet.Machines;

/// <summary>What may be asked for. Pure; tells every fault at once.</summary>
internal static partial class KeptMachineRules
{
    /// <summary>Most bytes of one file that is put.</summary>
    public const int MaxFileBytes = 1024 * 1024;

    /// <summary>Most files that wait for a machine's start.</summary>
    public const int MaxFiles = 64;

    /// <summary>Least guest memory in MiB: with less the programs of a member do not fit.</summary>
    public const int MinMemoryMiB = 512;

    private const int MaxMemoryMiB = 1_048_576;
    private const int MinDiskMiB = 256;
    private const int MaxDiskMiB = 16 * 1024 * 1024;
    private const int MaxPathBytes = 200;

    /// <summary>Refuses a name that is no DNS label: it stands in paths and is the guest's host name.</summary>
    /// <exception cref="KeptMachineException"><see cref="KeptMachineFault.Invalid"/>.</exception>
    public static void CheckName(string name)
    {
        if (!Label().IsMatch(name))
        {
            throw new KeptMachineException(KeptMachineFault.Invalid, name, $"A machine's name must be a DNS label (small letters, digits and '-', at most 63); '{name}' is none.");
        }
    }

    /// <summary>Refuses a path that is not one below the disk's root in its simplest form.</summary>
    /// <exception cref="KeptMachineException"><see cref="KeptMachineFault.Invalid"/>.</exception>
    public static void CheckPath(string name, string path)
    {
        if (path.Length > MaxPathBytes || !RelativePath().IsMatch(path) || path.Split('/').Any(static part => part is "." or ".."))
        {
            throw new KeptMachineException(
                KeptMachineFault.Invalid, name,
                $"'{path}' is no path below the machine's disk: parts of letters, digits, '.', '_' and '-', joined by '/', none of them '.' or '..', at most {MaxPathBytes} characters.");
        }
    }

    /// <summary>Every fault of the settings; empty when there is none.</summary>
    /// <param name="settings">The settings.</param>
    public static IReadOnlyList<string> FaultsOf(KeptMachineSettings settings)
    {
        List<string> faults = [];
        Check(faults, settings.VcpuCount is >= 1 and <= 64, $"vcpus {settings.VcpuCount} is not in 1 to 64");
        Check(faults, settings.MemoryMiB is >= MinMemoryMiB and <= MaxMemoryMiB, $"memory_mib {settings.MemoryMiB} is not in {MinMemoryMiB} to {MaxMemoryMiB}");
        Check(faults, settings.DiskMiB is >= MinDiskMiB and <= MaxDiskMiB, $"disk_mib {settings.DiskMiB} is not in {MinDiskMiB} to {MaxDiskMiB}");
        Check(faults, Link().IsMatch(settings.Link), $"link '{settings.Link}' is not 1 to 15 letters, digits, '_', '.' or '-'");
        Check(faults, settings.Addresses.Count > 0, "addresses has none");
        foreach (string address in settings.Addresses)
        {
            Check(faults, IsAddressWithPrefix(address), $"address '{address}' is no address with a prefix, such as 10.0.0.11/24");
        }

        Check(faults, settings.Gateway.Length == 0 || IPAddress.TryParse(settings.Gateway, out _), $"gateway '{settings.Gateway}' is no address");
        bool below = settings.SettingsFile.StartsWith(KeptMachineOptions.DataDirectory + "/", StringComparison.Ordinal)
            && RelativePath().IsMatch(settings.SettingsFile[(KeptMachineOptions.DataDirectory.Length + 1)..])
            && !settings.SettingsFile.Split('/').Any(static part => part is "." or "..");
        Check(faults, below, $"settings_file '{settings.SettingsFile}' is no path below {KeptMachineOptions.DataDirectory}");
        return faults;
    }

    private static bool IsAddressWithPrefix(string text)
    {
        string[] parts = text.Split('/');
        return parts.Length == 2 && IPAddress.TryParse(parts[0], out IPAddress? address)
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int prefix)
            && prefix >= 1 && prefix <= address.GetAddressBytes().Length * 8;
    }

    private static void Check(List<string> faults, bool holds, string fault)
    {
        if (!holds)
        {
            faults.Add(fault);
        }
    }

    [GeneratedRegex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\z", RegexOptions.CultureInvariant)]
    private static partial Regex Label();

    [GeneratedRegex("^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*\\z", RegexOptions.CultureInvariant)]
    private static partial Regex RelativePath();

    [GeneratedRegex("^[A-Za-z0-9_.-]{1,15}\\z", RegexOptions.CultureInvariant)]
    private static partial Regex Link();
}
