using System.Globalization;

namespace Vks.Spherelet.Node;

/// <summary>Finds who else on the host has user ids that the engine wants for QEMU processes.</summary>
internal static class UserIdRanges
{
    private const long Count = 65536;

    /// <summary>Owners of ids in the range, as <c>name (file)</c>.</summary>
    /// <param name="first">First id of the range of 65536.</param>
    /// <param name="passwd">Content of /etc/passwd.</param>
    /// <param name="subuid">Content of /etc/subuid: <c>name:first:count</c>.</param>
    public static IEnumerable<string> Clashes(long first, string passwd, string subuid)
    {
        foreach (string[] fields in Lines(passwd))
        {
            if (fields.Length > 2 && Number(fields[2]) is { } id && id >= first && id < first + Count)
            {
                yield return $"{fields[0]} (/etc/passwd)";
            }
        }

        foreach (string[] fields in Lines(subuid))
        {
            if (fields.Length > 2 && Number(fields[1]) is { } start && Number(fields[2]) is { } length && start < first + Count && start + length > first)
            {
                yield return $"{fields[0]} (/etc/subuid)";
            }
        }
    }

    private static IEnumerable<string[]> Lines(string text) => text.Split('\n').Select(static line => line.Trim().Split(':'));

    private static long? Number(string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number <= uint.MaxValue ? number : null;
}
