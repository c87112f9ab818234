using System.Globalization;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Containers;

/// <summary>Reads what a cgroup uses. A file that the kernel does not have reads as zeros.</summary>
internal static class GroupReader
{
    /// <summary>All of it, or null when there is no such cgroup.</summary>
    internal static GroupUsage? Read(string folder)
    {
        string cpu = Text("cpu.stat");
        if (cpu.Length == 0)
        {
            return null;
        }

        string memory = Text("memory.stat");
        string events = Text("memory.events");
        List<int> processes = Processes(folder);
        (long descriptors, long sockets) = CountDescriptors(processes);
        return new GroupUsage
        {
            CpuNanoseconds = Cpu("usage_usec") * 1000,
            CpuUserNanoseconds = Cpu("user_usec") * 1000,
            CpuSystemNanoseconds = Cpu("system_usec") * 1000,
            CpuPeriods = Cpu("nr_periods"),
            CpuThrottledPeriods = Cpu("nr_throttled"),
            CpuThrottledNanoseconds = Cpu("throttled_usec") * 1000,
            MemoryBytes = Number("memory.current"),
            MemoryPeakBytes = Number("memory.peak"),
            MemoryLimitBytes = Number("memory.max"),
            MemoryReservedBytes = Math.Max(Number("memory.low"), Number("memory.min")),
            SwapBytes = Number("memory.swap.current"),
            SwapLimitBytes = Number("memory.swap.max"),
            AnonymousBytes = Memory("anon"),
            FileBytes = Memory("file"),
            MappedFileBytes = Memory("file_mapped"),
            KernelBytes = Memory("kernel"),
            ActiveFileBytes = Memory("active_file"),
            InactiveFileBytes = Memory("inactive_file"),
            PageFaults = Memory("pgfault"),
            MajorPageFaults = Memory("pgmajfault"),
            MemoryLimitHits = ContainerCgroup.ValueIn(events, "max"),
            OutOfMemoryKills = ContainerCgroup.ValueIn(events, "oom_kill"),
            Processes = processes.Count,
            FileDescriptors = descriptors,
            Sockets = sockets,
            Threads = Number("pids.current"),
            ThreadsLimit = Number("pids.max"),
            Hugepages = [.. HugepageSizes(folder).Select(size => new HugepageUsage(size, Number($"hugetlb.{size}.current")))],
            Devices = ParseDevices(Text("io.stat"), DeviceName),
            CpuPressure = ParsePressure(Text("cpu.pressure")),
            MemoryPressure = ParsePressure(Text("memory.pressure")),
            IoPressure = ParsePressure(Text("io.pressure")),
        };

        string Text(string file) => ReadText(Path.Combine(folder, file));

        // "max", for no limit, is no number.
        long Number(string file) => ParseNumber(Text(file));

        long Cpu(string name) => ContainerCgroup.ValueIn(cpu, name);

        long Memory(string name) => ContainerCgroup.ValueIn(memory, name);
    }

    /// <summary>Two lines <c>some avg10=0.00 avg60=0.00 avg300=0.00 total=0</c> and <c>full …</c>; null when there is neither.</summary>
    internal static PressureStall? ParsePressure(string text)
    {
        StallTimes? some = null;
        StallTimes? full = null;
        foreach (string line in text.Split('\n'))
        {
            Dictionary<string, string> fields = Fields(line, out string subject);
            if (subject is not ("some" or "full"))
            {
                continue;
            }

            StallTimes times = new(Percent("avg10"), Percent("avg60"), Percent("avg300"), Count(fields, "total"));
            (some, full) = subject == "some" ? (times, full) : (some, times);

            double Percent(string name) =>
                double.TryParse(fields.GetValueOrDefault(name), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value) ? value : 0;
        }

        StallTimes none = new(0, 0, 0, 0);
        return some is null && full is null ? null : new PressureStall(some ?? none, full ?? none);
    }

    /// <summary>Lines <c>8:0 rbytes=0 wbytes=0 rios=0 wios=0 …</c>. A device without counters, as the kernel tells some, is left out.</summary>
    internal static List<DeviceCounters> ParseDevices(string text, Func<string, string> nameOf)
    {
        var devices = new List<DeviceCounters>();
        foreach (string line in text.Split('\n'))
        {
            Dictionary<string, string> fields = Fields(line, out string number);
            if (fields.Count > 0)
            {
                devices.Add(new DeviceCounters(nameOf(number), Count(fields, "rbytes"), Count(fields, "wbytes"), Count(fields, "rios"), Count(fields, "wios")));
            }
        }

        return devices;
    }

    /// <summary>The soft limit of <c>Max open files  1024  4096  files</c>, /proc/PID/limits; 0 when the process has ended.</summary>
    internal static long OpenFilesLimit(int process) => ParseOpenFilesLimit(ReadText(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/limits")));

    /// <summary>The same of the file's text.</summary>
    internal static long ParseOpenFilesLimit(string text)
    {
        const string Name = "Max open files ";
        string line = text.Split('\n').FirstOrDefault(static line => line.StartsWith(Name, StringComparison.Ordinal), Name);
        return ParseNumber(line[Name.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault(""));
    }

    /// <summary>Sizes that the group has counters for. Pages that are only reserved are counted in files of another name, <c>hugetlb.2MB.rsvd.current</c>.</summary>
    private static string[] HugepageSizes(string folder)
    {
        try
        {
            return
            [
                .. Directory.GetFiles(folder, "hugetlb.*.current").Select(static file => Path.GetFileName(file).Split('.'))
                    .Where(static words => words.Length == 3).Select(static words => words[1]).Order(StringComparer.Ordinal),
            ];
        }
        catch (IOException)
        {
            // Gone since.
            return [];
        }
    }

    private static Dictionary<string, string> Fields(string line, out string subject)
    {
        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        subject = words.FirstOrDefault("");
        var fields = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string word in words.Skip(1))
        {
            int equals = word.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0)
            {
                fields[word[..equals]] = word[(equals + 1)..];
            }
        }

        return fields;
    }

    private static long Count(Dictionary<string, string> fields, string name) => ParseNumber(fields.GetValueOrDefault(name, ""));

    private static long ParseNumber(string text) =>
        long.TryParse(text.AsSpan().Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long value) ? value : 0;

    private static string DeviceName(string number)
    {
        try
        {
            return Path.GetFileName(File.ResolveLinkTarget("/sys/dev/block/" + number, returnFinalTarget: false)?.FullName) ?? number;
        }
        catch (IOException)
        {
            // Unplugged since.
            return number;
        }
    }

    /// <summary>The processes of a group and of those below it.</summary>
    private static List<int> Processes(string folder)
    {
        List<int> processes =
        [
            .. ReadText(Path.Combine(folder, "cgroup.procs")).Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(static line => int.Parse(line, CultureInfo.InvariantCulture)),
        ];
        try
        {
            processes.AddRange(Directory.GetDirectories(folder).SelectMany(Processes));
        }
        catch (IOException)
        {
            // Gone since, and its processes with it.
        }

        return processes;
    }

    /// <summary>Open files, and sockets among them; a process that ends meanwhile counts what was seen of it.</summary>
    private static (long Descriptors, long Sockets) CountDescriptors(List<int> processes)
    {
        (long descriptors, long sockets) = (0, 0);
        foreach (int process in processes)
        {
            try
            {
                foreach (string descriptor in Directory.EnumerateFileSystemEntries(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/fd")))
                {
                    descriptors++;
                    if (new FileInfo(descriptor).LinkTarget?.StartsWith("socket:", StringComparison.Ordinal) == true)
                    {
                        sockets++;
                    }
                }
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // It has ended.
            }
        }

        return (descriptors, sockets);
    }

    private static string ReadText(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
