using System.Diagnostics;
using System.Globalization;

namespace Vks.Spherelet.Images;

/// <summary>Ends tools that outlived the daemon that started them: a killed daemon cannot.</summary>
internal static class StaleTools
{
    private static readonly string[] Tools = ["skopeo", "tar2sqfs"];

    /// <summary>Kills tools that work in a folder, by the folder's path in their arguments.</summary>
    /// <returns>How many were killed.</returns>
    public static int Kill(string folder)
    {
        int killed = 0;
        foreach (string entry in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(entry), NumberStyles.None, CultureInfo.InvariantCulture, out int pid) && WorksIn(entry, folder))
            {
                try
                {
                    using Process process = Process.GetProcessById(pid);
                    process.Kill();
                    killed++;
                }
                catch (Exception e) when (e is ArgumentException or InvalidOperationException)
                {
                    // It ended by itself.
                }
            }
        }

        return killed;
    }

    private static bool WorksIn(string processEntry, string folder)
    {
        try
        {
            string[] arguments = File.ReadAllText(Path.Combine(processEntry, "cmdline")).Split('\0');
            return Array.IndexOf(Tools, Path.GetFileName(arguments[0])) >= 0
                && Array.Exists(arguments, argument => argument.Contains(folder + "/", StringComparison.Ordinal));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
