namespace Vks.Supervisor.Pki;

/// <summary>Files that are there whole or not at all, whatever happens while they are written.</summary>
internal static class PrivateFiles
{
    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Writes a file beside its place, lets it reach the disk, and moves it there.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="text">What it holds.</param>
    /// <param name="secret">Whether only its owner may read it.</param>
    public static void Write(string path, string text, bool secret) => Write(path, System.Text.Encoding.UTF8.GetBytes(text), secret);

    /// <summary>As the other.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="bytes">What it holds.</param>
    /// <param name="secret">Whether only its owner may read it.</param>
    /// <param name="durable">Whether it is waited for that it reaches the disk; without, a host that dies may leave the file before it.</param>
    public static void Write(string path, byte[] bytes, bool secret, bool durable = true)
    {
        string beside = path + ".new";
        File.Delete(beside);
        using (FileStream stream = new(beside, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = secret ? Owner : Owner | UnixFileMode.GroupRead | UnixFileMode.OtherRead,
        }))
        {
            stream.Write(bytes);
            stream.Flush(flushToDisk: durable);
        }

        File.Move(beside, path, overwrite: true);
    }

    /// <summary>Makes a folder that only its owner may enter; one that is there is made so, too.</summary>
    /// <param name="path">Its path.</param>
    public static void MakeFolder(string path)
    {
        Directory.CreateDirectory(path);
        File.SetUnixFileMode(path, Owner | UnixFileMode.UserExecute);
    }
}
