using System.Globalization;
using System.Runtime.Intrinsics.X86;

namespace Vks.Runtime.Qemu;

/// <summary>The rate of the host's time stamp counter. A TCG guest reads that very counter, and cannot calibrate it on a busy host.</summary>
internal static class HostTsc
{
    private const string Cpu0 = "/sys/devices/system/cpu/cpu0";
    private const int TscLeaf = 0x15;
    private const int HypervisorTimingLeaf = 0x40000010;

    /// <summary>In kHz, or null when this host does not tell.</summary>
    /// <remarks>
    /// The processor's own word first (leaf 0x15 on newer Intel, 0x40000010 under some hypervisors), then the kernel's <c>cpu MHz</c>:
    /// without frequency scaling, as in virtual machines, that is the calibrated rate of the counter. With frequency scaling it is the
    /// present clock rate instead, so then only the nominal rate counts: a guest told a wrong rate has a wrong clock, which is worse than
    /// one that calibrates by itself.
    /// </remarks>
    internal static long? ReadKHz() =>
        FromCpuid() ?? (Directory.Exists($"{Cpu0}/cpufreq") ? FromNominalRate() : ParseCpuMHz(ReadLines("/proc/cpuinfo")));

    /// <summary>The first <c>cpu MHz</c> of /proc/cpuinfo, in kHz.</summary>
    internal static long? ParseCpuMHz(IEnumerable<string> cpuinfo)
    {
        string? value = cpuinfo.FirstOrDefault(line => line.StartsWith("cpu MHz", StringComparison.Ordinal))?.Split(':').ElementAtOrDefault(1);
        return double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out double mhz) && mhz > 0 ? (long)Math.Round(mhz * 1000) : null;
    }

    private static long? FromCpuid()
    {
        if (!X86Base.IsSupported)
        {
            return null;
        }

        if (X86Base.CpuId(0, 0).Eax >= TscLeaf)
        {
            // Intel SDM, CPUID leaf 15H: counter rate = crystal Hz (ECX) * EBX / EAX; zeros mean "not told".
            (int denominator, int numerator, int crystalHz, _) = X86Base.CpuId(TscLeaf, 0);
            if (denominator > 0 && numerator > 0 && crystalHz > 0)
            {
                return (long)crystalHz * numerator / denominator / 1000;
            }
        }

        const int HypervisorPresent = 1 << 31;
        if ((X86Base.CpuId(1, 0).Ecx & HypervisorPresent) != 0 && (uint)X86Base.CpuId(0x40000000, 0).Eax >= HypervisorTimingLeaf)
        {
            int kHz = X86Base.CpuId(HypervisorTimingLeaf, 0).Eax;
            return kHz > 0 ? kHz : null;
        }

        return null;
    }

    // kHz by intel_pstate, MHz by the firmware's CPPC table (AMD).
    private static long? FromNominalRate() => ReadNumber($"{Cpu0}/cpufreq/base_frequency") ?? ReadNumber($"{Cpu0}/acpi_cppc/nominal_freq") * 1000;

    private static long? ReadNumber(string path) =>
        long.TryParse(ReadLines(path).FirstOrDefault(), NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number > 0 ? number : null;

    private static string[] ReadLines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
