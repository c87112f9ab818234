using System.Globalization;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Spherelet.Pods;

/// <summary>The limits of the control group that a kubelet makes for a pod. Kubelets before 1.23 tell a pod's limits in no other way.</summary>
internal static class PodCgroup
{
    /// <summary>On cgroup v1 "no limit" is the largest number of pages in bytes; nothing above this is a limit.</summary>
    private const long NoLimit = 1L << 60;

    /// <summary>Reads memory and CPU limits; what cannot be read is no limit.</summary>
    /// <param name="parent">As CRI has it: a path (<c>/kubepods/pod1</c>), or the name of a systemd slice (<c>kubepods-pod1.slice</c>).</param>
    /// <param name="root">Where control groups are mounted.</param>
    public static ResourceLimits Read(string parent, string root = "/sys/fs/cgroup")
    {
        string path = (parent.EndsWith(".slice", StringComparison.Ordinal) && !parent.Contains('/', StringComparison.Ordinal) ? SlicePath(parent) : parent).Trim('/');
        if (path.Length == 0 || path.Split('/').Contains(".."))
        {
            return new ResourceLimits();
        }

        if (File.Exists(Path.Combine(root, "cgroup.controllers")))
        {
            string[] cpu = (ReadText(Path.Combine(root, path, "cpu.max")) ?? "max").Split(' ');
            return Limits(ReadText(Path.Combine(root, path, "memory.max")), cpu[0], cpu.Length > 1 ? cpu[1] : null);
        }

        return Limits(
            ReadText(Path.Combine(root, "memory", path, "memory.limit_in_bytes")),
            ReadText(Path.Combine(root, "cpu", path, "cpu.cfs_quota_us")),
            ReadText(Path.Combine(root, "cpu", path, "cpu.cfs_period_us")));
    }

    /// <summary>systemd.slice(5): each dash of a name is a level, <c>a-b.slice</c> is <c>a.slice/a-b.slice</c>.</summary>
    internal static string SlicePath(string slice)
    {
        string[] words = slice[..^".slice".Length].Split('-');
        return string.Join('/', Enumerable.Range(1, words.Length).Select(count => string.Join('-', words.Take(count)) + ".slice"));
    }

    private static ResourceLimits Limits(string? memory, string? quota, string? period) => new()
    {
        MemoryBytes = Number(memory) is > 0 and < NoLimit and var bytes ? bytes : 0,
        CpuQuotaMicroseconds = Math.Max(0, Number(quota)),
        CpuPeriodMicroseconds = Math.Max(0, Number(period)),
    };

    private static long Number(string? text) => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) ? number : 0;

    private static string? ReadText(string path)
    {
        try
        {
            return File.ReadAllText(path).Trim();
        }
        catch (Exception absent) when (absent is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
