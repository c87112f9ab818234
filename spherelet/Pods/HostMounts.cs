using System.Text;

namespace Vks.Spherelet.Pods;

/// <summary>What is mounted on the host, as mountinfo of proc(5) tells it.</summary>
internal static class HostMounts
{
    private const int MountPointField = 4;

    /// <summary>Mount points at or below the directory, in the order they were mounted.</summary>
    public static IEnumerable<string> Below(string directory)
    {
        string prefix = directory + "/";
        return [.. File.ReadLines("/proc/self/mountinfo").Select(line => Unescape(line.Split(' ')[MountPointField])).Where(point => point == directory || point.StartsWith(prefix, StringComparison.Ordinal))];
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
