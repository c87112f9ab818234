using System.Text;

namespace Vks.Spherelet.Pods;

/// <summary>What is mounted on the host, as mountinfo of proc(5) tells it.</summary>
internal static class HostMounts
{
    private const int MountPointField = 4;
    private const int FirstOptionalField = 6;

    /// <summary>Mount points at or below the directory, in the order they were mounted.</summary>
    public static IEnumerable<string> Below(string directory)
    {
        string prefix = directory + "/";
        return [.. Read().Select(mount => mount.Point).Where(point => point == directory || point.StartsWith(prefix, StringComparison.Ordinal))];
    }

    /// <summary>Whether what is mounted below the directory shows in namespaces that follow this one.</summary>
    public static bool IsShared(string directory)
    {
        (string Point, bool IsShared) holder = ("", false);
        foreach ((string Point, bool IsShared) mount in Read())
        {
            bool holds = mount.Point == "/" || mount.Point == directory || directory.StartsWith(mount.Point + "/", StringComparison.Ordinal);

            // Of two at the same place the later one covers the earlier.
            if (holds && mount.Point.Length >= holder.Point.Length)
            {
                holder = mount;
            }
        }

        return holder.IsShared;
    }

    private static IEnumerable<(string Point, bool IsShared)> Read()
    {
        foreach (string line in File.ReadLines("/proc/self/mountinfo"))
        {
            string[] fields = line.Split(' ');
            bool isShared = fields.Skip(FirstOptionalField).TakeWhile(field => field != "-").Any(field => field.StartsWith("shared:", StringComparison.Ordinal));
            yield return (Unescape(fields[MountPointField]), isShared);
        }
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
