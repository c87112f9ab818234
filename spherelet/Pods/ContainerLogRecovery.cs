namespace Vks.Spherelet.Pods;

/// <summary>Finds out what a log holds that an earlier daemon wrote.</summary>
internal static class ContainerLogRecovery
{
    /// <summary>Counts the entries behind the kept position, and cuts off one that was written half.</summary>
    /// <param name="path">The log file.</param>
    /// <param name="kept">The position that was last kept.</param>
    /// <returns>The exact position when the file is the one of <paramref name="kept"/>; else the kept one at the file's present length.</returns>
    public static LogPosition Recover(string path, LogPosition kept)
    {
        if (!File.Exists(path))
        {
            return kept with { FileBytes = 0 };
        }

        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        if (file.Length < kept.FileBytes)
        {
            // Another file than the kept position speaks of: the log was moved away and the daemon ended before it went on.
            return kept with { FileBytes = file.Length };
        }

        file.Seek(kept.FileBytes, SeekOrigin.Begin);
        var tail = new byte[file.Length - kept.FileBytes];
        file.ReadExactly(tail);
        LogPosition position = kept;
        ReadOnlySpan<byte> rest = tail;
        while (rest.IndexOf((byte)'\n') is var end and >= 0)
        {
            if (ContainerLogFormat.TryCount(rest[..end], out bool isError, out long bytes))
            {
                position = position with
                {
                    OutputBytes = position.OutputBytes + (isError ? 0 : bytes),
                    ErrorBytes = position.ErrorBytes + (isError ? bytes : 0),
                };
            }

            position = position with { FileBytes = position.FileBytes + end + 1 };
            rest = rest[(end + 1)..];
        }

        file.SetLength(position.FileBytes);
        return position;
    }
}
