using System.Globalization;
using Vks.Agent.Boot;

namespace Vks.Agent.Containers;

/// <summary>The files of a container's cgroup. A file that is gone reads as empty: the cgroup ends with the container.</summary>
internal sealed class ContainerCgroup(string containerId)
{
    /// <summary>The cgroup all containers lie in.</summary>
    internal const string Parent = RootFileSystem.CgroupRoot + "/vks";

    /// <summary>As config.json has it.</summary>
    internal string PathBelowRoot { get; } = "/vks/" + containerId;

    /// <summary>The directory.</summary>
    internal string Folder { get; } = Parent + "/" + containerId;

    /// <summary>Kills every process of the cgroup or of a cgroup below it, forks included (Linux 5.14).</summary>
    internal void Kill(string below = "")
    {
        if (below.Length == 0)
        {
            // To end takes a process CPU time, which a thousandth of a CPU gives it in the course of a minute.
            Write("cpu.max", "max");
        }

        Write(Path.Combine(below, "cgroup.kill"), "1");
    }

    /// <summary>Pids of the cgroup and those below it.</summary>
    internal List<int> Processes()
    {
        var pids = new List<int>();
        Collect(Folder);
        return pids;

        void Collect(string folder)
        {
            foreach (string line in Read(Path.Combine(folder, "cgroup.procs")).Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                if (int.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out int pid) && pid > 0)
                {
                    pids.Add(pid);
                }
            }

            if (Directory.Exists(folder))
            {
                foreach (string below in Directory.GetDirectories(folder))
                {
                    Collect(below);
                }
            }
        }
    }

    /// <summary>Gives another score to those processes that have the one the container was given, and so did not choose their own.</summary>
    internal void ChangeOutOfMemoryScore(int from, int to)
    {
        foreach (int pid in from == to ? [] : Processes())
        {
            string path = string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/oom_score_adj");
            if (int.TryParse(Read(path).AsSpan().Trim(), CultureInfo.InvariantCulture, out int score) && score == from)
            {
                try
                {
                    File.WriteAllText(path, to.ToString(CultureInfo.InvariantCulture));
                }
                catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
                {
                    // It has just ended.
                }
            }
        }
    }

    /// <summary>Whether the kernel killed a process here for want of memory.</summary>
    internal bool OutOfMemory => Value("memory.events", "oom_kill") > 0;

    /// <summary>A number of a file of one number.</summary>
    internal long Number(string file) => long.TryParse(Read(Path.Combine(Folder, file)).AsSpan().Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long value) ? value : 0;

    /// <summary>A number of a file of <c>name number</c> lines; 0 when it has none of that name.</summary>
    internal long Value(string file, string name) => ValueIn(Read(Path.Combine(Folder, file)), name);

    /// <summary>A number of text in <c>name number</c> lines.</summary>
    internal static long ValueIn(string text, string name)
    {
        foreach (string line in text.Split('\n'))
        {
            if (line.Length > name.Length && line[name.Length] == ' ' && line.StartsWith(name, StringComparison.Ordinal)
                && long.TryParse(line.AsSpan(name.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out long value))
            {
                return value;
            }
        }

        return 0;
    }

    /// <summary>No such cgroup, or no such file of it, is no error: then there is nothing to write it for.</summary>
    private void Write(string file, string content)
    {
        try
        {
            File.WriteAllText(Path.Combine(Folder, file), content);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // As the summary says.
        }
    }

    private static string Read(string path)
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
