using System.Globalization;
using CliWrap;

namespace Vks.Tests.Kit;

/// <summary>A file system of a given size that can be filled and freed.</summary>
internal sealed class SmallDisk : IAsyncDisposable
{
    private SmallDisk(string folder) => Folder = folder;

    public string Folder { get; }

    private string Filler => Path.Combine(Folder, "filler");

    public static async Task<SmallDisk> CreateAsync(int sizeKiB)
    {
        SmallDisk disk = new(Directory.CreateTempSubdirectory("vks-disk-").FullName);
        await Cli.Wrap("mount").WithArguments(["-t", "tmpfs", "-o", string.Create(CultureInfo.InvariantCulture, $"size={sizeKiB}k"), "vks-test", disk.Folder]).ExecuteAsync();
        return disk;
    }

    /// <summary>Leaves no byte free.</summary>
    public void Fill()
    {
        using FileStream filler = new(Filler, FileMode.Append, FileAccess.Write, FileShare.None, bufferSize: 0);
        try
        {
            while (true)
            {
                filler.Write(new byte[4096]);
            }
        }
        catch (IOException)
        {
            // Full.
        }
    }

    /// <summary>Takes back what <see cref="Fill"/> took.</summary>
    public void Free() => File.Delete(Filler);

    public async ValueTask DisposeAsync()
    {
        await Cli.Wrap("umount").WithArguments(["--lazy", Folder]).ExecuteAsync();
        Directory.Delete(Folder);
    }
}
