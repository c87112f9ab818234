namespace Vks.Runtime.Machines;

/// <summary>Deletes what a machine had in the file system. The state folder goes last: as long as it is there, a restarted daemon knows of the rest.</summary>
internal static class MachineCleaner
{
    internal static void DeleteFolders(MachineFiles files)
    {
        Delete(files.RuntimeDirectory);
        Delete(files.StateDirectory);
    }

    /// <summary>Deletes a folder with all in it; an absent one is no error.</summary>
    internal static void Delete(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // That is what was wanted.
        }
    }
}
