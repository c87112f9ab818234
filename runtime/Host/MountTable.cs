using System.Text;

namespace Vks.Runtime.Host;

/// <summary>What is mounted, as mountinfo of proc(5) tells it.</summary>
public static class MountTable
{
    private const int RootField = 3, MountPointField = 4;

    /// <summary>Mount points of this process at or below the directory, in the order they were mounted.</summary>
    public static IReadOnlyList<string> Below(string directory) => Below("/proc/self/mountinfo", directory);

    /// <summary>What is mounted at a path, the uppermost if several are; null when it is no mount point.</summary>
    /// <param name="path">Absolute, without symbolic links.</param>
    public static HostMount? At(string path) => File.ReadLines("/proc/self/mountinfo").Select(static line => line.Split(' ')).LastOrDefault(fields => Unescape(fields[MountPointField]) == path) is { } found
        ? new HostMount(Unescape(found[RootField]), found[Array.IndexOf(found, "-") + 1])
        : null;

    /// <summary>Mount points of another process, as <see cref="Below(string)"/>; its mount points are told from its own root.</summary>
    /// <param name="file">Its mountinfo.</param>
    /// <param name="directory">Absolute path as that process sees it.</param>
    /// <exception cref="IOException">There is no such process.</exception>
    internal static IReadOnlyList<string> Below(string file, string directory)
    {
        string prefix = directory + "/";
        return [.. File.ReadLines(file).Select(line => Unescape(line.Split(' ')[MountPointField])).Where(point => point == directory || point.StartsWith(prefix, StringComparison.Ordinal))];
    }

    /// <summary>Space, tab, newline and backslash are written as three octal digits.</summary>
    private static string Unescape(string field)
    {
        if (!field.Contains('\\', StringComparison.Ordinal))
        {
            return field;
        }

        var text = new StringBuilder(field.Length);
        for (var index = 0; index < field.Length; index++)
        {
            if (field[index] == '\\' && index + 3 < field.Length)
            {
                text.Append((char)Convert.ToInt32(field.Substring(index + 1, 3), 8));
                index += 3;
            }
            else
            {
                text.Append(field[index]);
            }
        }

        return text.ToString();
    }
}
