using System.Globalization;
using CliWrap;
using CliWrap.Buffered;

namespace Vks.Tests.Kit;

/// <summary>A real block device of this host over a file; at the end nobody may have it open any more.</summary>
internal sealed class LoopDevice : IAsyncDisposable
{
    private LoopDevice(string path, string file) => (Path, File) = (path, file);

    /// <summary><c>/dev/loopN</c>.</summary>
    public string Path { get; }

    /// <summary>The file that holds its bytes.</summary>
    public string File { get; }

    /// <summary>Makes a file of zeros and a device of it.</summary>
    public static async Task<LoopDevice> AttachAsync(string folder, long bytes, params string[] options)
    {
        string file = System.IO.Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"volume-{Random.Shared.Next():x8}.img"));
        await using (FileStream made = System.IO.File.Create(file))
        {
            made.SetLength(bytes);
        }

        return new LoopDevice((await RunAsync(["--find", "--show", .. options, file])).Trim(), file);
    }

    /// <summary>Descriptors of a process that lead to the device.</summary>
    public int OpenIn(int pid) => Directory.EnumerateFileSystemEntries($"/proc/{pid}/fd").Count(entry =>
    {
        try
        {
            return new FileInfo(entry).LinkTarget == Path;
        }
        catch (IOException)
        {
            return false; // Closed while we looked.
        }
    });

    /// <summary>Bytes of the file that are really kept.</summary>
    public async Task<long> AllocatedAsync() =>
        512 * long.Parse((await Cli.Wrap("stat").WithArguments(["-c", "%b", File]).ExecuteBufferedAsync()).StandardOutput, CultureInfo.InvariantCulture);

    public async ValueTask DisposeAsync()
    {
        await RunAsync(["--detach", Path]);

        // The kernel keeps a device for as long as somebody has it open.
        string left = "";
        for (var tries = 0; tries < 50 && (left = await RunAsync(["--associated", File])).Length > 0; tries++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100));
        }

        System.IO.File.Delete(File);
        Assert.True(left.Length == 0, $"somebody still has the device open: {left}");
    }

    private static async Task<string> RunAsync(string[] arguments)
    {
        BufferedCommandResult result = await Cli.Wrap("losetup").WithArguments(arguments).WithValidation(CommandResultValidation.None).ExecuteBufferedAsync();
        Assert.True(result.IsSuccess, $"losetup {string.Join(' ', arguments)} ended with {result.ExitCode}: {result.StandardError}");
        return result.StandardOutput;
    }
}
