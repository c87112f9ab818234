using System.Threading.Channels;

namespace Vks.Spherelet.Node;

/// <summary>Shows a container's log file as it grows, without the columns of the CRI log format.</summary>
internal static class LogPrinter
{
    /// <summary>Prints until the token ends, and then what came up to that moment. Never throws for the token.</summary>
    /// <param name="path">The log file; it exists.</param>
    /// <param name="output">Gets the entries of standard output.</param>
    /// <param name="error">Gets the entries of standard error.</param>
    /// <param name="cancellationToken">Ends the waiting for more.</param>
    public static async Task PrintAsync(string path, TextWriter output, TextWriter error, CancellationToken cancellationToken)
    {
        Channel<bool> changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        using FileSystemWatcher watcher = new(Path.GetDirectoryName(path)!, Path.GetFileName(path)) { NotifyFilter = NotifyFilters.Size | NotifyFilters.LastWrite };
        watcher.Changed += (_, _) => changes.Writer.TryWrite(true);
        watcher.EnableRaisingEvents = true;
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using StreamReader reader = new(file);
        string rest = "";
        while (true)
        {
            // Read on first: what was written before the watch began raises no event.
            rest = await PrintNewAsync(reader, rest, output, error);
            try
            {
                await changes.Reader.ReadAsync(cancellationToken);
            }
            catch (OperationCanceledException)
            {
                await PrintNewAsync(reader, rest, output, error);
                return;
            }
        }
    }

    /// <summary>One entry without its columns: <c>time stream tag text</c>; a partial line (tag P) has no newline.</summary>
    internal static (bool IsError, string Text) Parse(string line)
    {
        string[] columns = line.Split(' ', 4);
        return columns.Length < 4 ? (false, line + "\n") : (columns[1] == "stderr", columns[2] == "P" ? columns[3] : columns[3] + "\n");
    }

    private static async Task<string> PrintNewAsync(StreamReader reader, string rest, TextWriter output, TextWriter error)
    {
        string text = rest + await reader.ReadToEndAsync(CancellationToken.None);
        int start = 0;
        for (int end = text.IndexOf('\n'); end >= 0; end = text.IndexOf('\n', start))
        {
            (bool isError, string entry) = Parse(text[start..end]);
            await (isError ? error : output).WriteAsync(entry);
            start = end + 1;
        }

        await output.FlushAsync(CancellationToken.None);
        return text[start..];
    }
}
