using System.Globalization;
using Vks.Agent.Boot;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Containers;

/// <summary>Reads what containers and the guest use.</summary>
internal static class Usage
{
    /// <summary>One container, from its cgroup and its writable layer.</summary>
    internal static ContainerStats Of(Container container)
    {
        ContainerCgroup cgroup = container.Cgroup;
        long memory = cgroup.Number("memory.current");
        (long bytes, long inodes) = Measure(container.Bundle.UpperFolder);
        return new ContainerStats(
            container.Id,
            Clock.UnixNanoseconds(),
            cgroup.Value("cpu.stat", "usage_usec") * 1000,
            memory,
            Math.Max(0, memory - cgroup.Value("memory.stat", "inactive_file")),
            cgroup.Value("memory.stat", "anon"),
            cgroup.Value("memory.stat", "pgfault"),
            cgroup.Value("memory.stat", "pgmajfault"),
            cgroup.Number("pids.current"),
            bytes,
            inodes);
    }

    /// <summary>The whole guest.</summary>
    internal static GuestStats OfGuest()
    {
        string memory = File.ReadAllText("/proc/meminfo");
        string cpu = Path.Combine(ContainerCgroup.Parent, "cpu.stat");
        return new GuestStats(
            Clock.UnixNanoseconds(),
            (File.Exists(cpu) ? ContainerCgroup.ValueIn(File.ReadAllText(cpu), "usage_usec") : 0) * 1000,
            KibibytesIn(memory, "MemTotal:") * 1024,
            KibibytesIn(memory, "MemAvailable:") * 1024,
            CountProcesses(),
            ParseInterfaces(File.ReadAllText("/proc/net/dev")));
    }

    /// <summary>The counters of /proc/net/dev, lo left out.</summary>
    internal static List<InterfaceCounters> ParseInterfaces(string text)
    {
        var interfaces = new List<InterfaceCounters>();
        foreach (string line in text.Split('\n'))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            string[] fields = colon < 0 ? [] : line[(colon + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            string name = colon < 0 ? "" : line[..colon].Trim();
            if (fields.Length >= 11 && name != "lo")
            {
                interfaces.Add(new InterfaceCounters(name, Number(fields[0]), Number(fields[2]), Number(fields[8]), Number(fields[10])));
            }
        }

        return interfaces;

        static long Number(string field) => long.Parse(field, CultureInfo.InvariantCulture);
    }

    private static long KibibytesIn(string text, string name)
    {
        foreach (string line in text.Split('\n'))
        {
            if (line.StartsWith(name, StringComparison.Ordinal))
            {
                return long.Parse(line[name.Length..].Replace("kB", "", StringComparison.Ordinal).AsSpan().Trim(), CultureInfo.InvariantCulture);
            }
        }

        return 0;
    }

    private static long CountProcesses()
    {
        long count = 0;
        foreach (string path in Directory.EnumerateDirectories("/proc"))
        {
            count += char.IsAsciiDigit(path["/proc/".Length]) ? 1 : 0;
        }

        return count;
    }

    /// <summary>Files may vanish while they are counted; what is gone counts nothing.</summary>
    private static (long Bytes, long Inodes) Measure(string folder)
    {
        long bytes = 0;
        long inodes = 0;
        var options = new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = FileAttributes.None, ReturnSpecialDirectories = false };
        try
        {
            foreach (FileSystemInfo entry in new DirectoryInfo(folder).EnumerateFileSystemInfos("*", options))
            {
                inodes++;
                if (entry is FileInfo { LinkTarget: null } file)
                {
                    bytes += file.Length;
                }
            }
        }
        catch (IOException)
        {
            return (bytes, inodes);
        }

        return (bytes, inodes);
    }
}
