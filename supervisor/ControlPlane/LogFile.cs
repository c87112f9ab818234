namespace Vks.Supervisor.ControlPlane;

/// <summary>The log of a program, which the program itself writes to: it needs nobody of ours to go on.</summary>
/// <param name="path">The file; the one before is beside it, with <c>.1</c>.</param>
internal sealed class LogFile(string path)
{
    /// <summary>64 MiB: some days of a busy API server.</summary>
    public const long MaxBytes = 64L << 20;

    /// <summary>The file.</summary>
    public string Path { get; } = path;

    /// <summary>Keeps the file's size in bounds: copies it and empties it. The program appends, so it goes on at the begin; lines of the moment in between are lost.</summary>
    /// <param name="maxBytes">The size from which on it is emptied.</param>
    public void Trim(long maxBytes)
    {
        FileInfo info = new(Path);
        if (info.Exists && info.Length > maxBytes)
        {
            File.Copy(Path, Path + ".1", overwrite: true);
            using FileStream stream = new(Path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            stream.SetLength(0);
        }
    }

    /// <summary>The last lines, for people.</summary>
    /// <param name="lines">How many.</param>
    public string Tail(int lines)
    {
        const int Most = 16 << 10;
        if (!File.Exists(Path))
        {
            return "";
        }

        using FileStream stream = new(Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        stream.Seek(-Math.Min(Most, stream.Length), SeekOrigin.End);
        using StreamReader reader = new(stream);
        return string.Join('\n', reader.ReadToEnd().TrimEnd().Split('\n').TakeLast(lines));
    }
}
