namespace Vks.Supervisor.ControlPlane;

/// <summary>The files of a member that was brought to this host: one folder, with its settings in it.</summary>
internal static class MemberFiles
{
    /// <summary>Removes them; none there is no error.</summary>
    /// <param name="settingsFile">The settings file, which goes last: a removal that was interrupted is done again.</param>
    /// <exception cref="SupervisorException">The file is not in the folder that it names: somebody else made it. Or the member is in use.</exception>
    public static void Remove(string settingsFile)
    {
        string folder = Path.GetDirectoryName(settingsFile)!;
        if (!File.Exists(settingsFile))
        {
            // Of a bringing that was interrupted before it had begun.
            if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).All(static entry => entry.EndsWith(".new", StringComparison.Ordinal)))
            {
                Directory.Delete(folder, recursive: true);
            }

            return;
        }

        MemberSettings settings = MemberSettingsFile.LoadToEnd(settingsFile);
        if (Path.TrimEndingDirectorySeparator(settings.Directory) != folder)
        {
            throw new SupervisorException(
                SupervisorFault.Precondition, $"{settingsFile} is of a member in {settings.Directory}, and not in that folder: init or apply did not bring it. Nothing was removed. Do: remove what is to go by hand");
        }

        if (MemberProcess.RecordOf(settings).Find() is { } process)
        {
            throw new SupervisorException(SupervisorFault.Precondition, $"member {settings.Name} runs (process {process}). Do: supervisor member stop --config {settingsFile}");
        }

        using FileStream? only = Directory.Exists(settings.RunDirectory) ? MemberLock.Take(settings) : null;
        foreach (string entry in Directory.EnumerateDirectories(folder))
        {
            Directory.Delete(entry, recursive: true);
        }

        foreach (string entry in Directory.EnumerateFiles(folder).Where(entry => entry != settingsFile))
        {
            File.Delete(entry);
        }

        File.Delete(settingsFile);
        Directory.Delete(folder);
    }
}
