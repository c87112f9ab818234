using System.Globalization;

namespace Vks.Runtime.Machines;

/// <summary>Finds the QEMUs of our machines among all processes, by the <c>-name</c> they carry, whatever the records say.</summary>
internal static class QemuScan
{
    /// <summary>Processes whose name is exactly this machine's folder.</summary>
    internal static IEnumerable<int> ProcessesNamed(string stateDirectory) => All().Where(found => found.Name == stateDirectory).Select(found => found.Pid);

    /// <summary>The machine folders directly below <paramref name="stateRoot"/> that processes carry as their name.</summary>
    internal static IEnumerable<string> NamesBelow(string stateRoot) => All().Select(found => found.Name).Where(name => Path.GetDirectoryName(name) == stateRoot).Distinct();

    private static IEnumerable<(int Pid, string Name)> All()
    {
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out int pid) && NameOf(folder) is { } name)
            {
                yield return (pid, name);
            }
        }
    }

    private static string? NameOf(string folder)
    {
        try
        {
            string[] arguments = File.ReadAllText(folder + "/cmdline").Split('\0');
            int at = Array.IndexOf(arguments, "-name");
            const string Key = "guest=";
            if (at < 0 || at + 1 == arguments.Length || !arguments[at + 1].StartsWith(Key, StringComparison.Ordinal))
            {
                return null;
            }

            // QEMU wants commas inside a value doubled; a single one ends it.
            string value = arguments[at + 1][Key.Length..].Replace(",,", "\0", StringComparison.Ordinal);
            return value.Split(',')[0].Replace('\0', ',');
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null; // ended while we looked
        }
    }
}
