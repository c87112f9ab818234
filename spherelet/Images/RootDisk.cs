using System.Globalization;
using System.Text;
using CliWrap;
using Microsoft.Win32.SafeHandles;
using Vks.Spherelet.Node;

namespace Vks.Spherelet.Images;

/// <summary>Builds the read-only disk image of a stack of layers: squashfs, written by Debian's <c>tar2sqfs</c> from one merged tar stream.</summary>
/// <remarks>
/// squashfs with zstd at level 3 in 128 KiB blocks: Debian 12's mkfs.erofs reads no tar, tar2sqfs is in both Debian 12 and 13.
/// The file is written beside its place, flushed, then renamed, so a disk that exists is whole.
/// </remarks>
internal static class RootDisk
{
    /// <summary>Ending of a finished disk's name.</summary>
    public const string Extension = ".sqfs";

    private const string Compressor = "zstd";
    private const string CompressorOptions = "level=3";
    private const int BlockBytes = 128 << 10;

    /// <summary>The name that all images with these layers share: the OCI chain id's hex digits.</summary>
    public static string ChainId(IReadOnlyList<string> diffIds)
    {
        string chain = diffIds.Count == 0 ? BlobDigest.Of([]) : diffIds[0];
        foreach (string diffId in diffIds.Skip(1))
        {
            chain = BlobDigest.Of(Encoding.ASCII.GetBytes($"{chain} {diffId}"));
        }

        return BlobDigest.Hex(chain);
    }

    /// <summary>Builds the disk.</summary>
    /// <param name="image">The image, for messages.</param>
    /// <param name="layers">Lowest first.</param>
    /// <param name="temporaryPath">Where to write; on the file system of <paramref name="path"/>. Gone afterwards, come what may.</param>
    /// <param name="path">Where the finished disk is to be.</param>
    /// <param name="maxLayerBytes">Most bytes of one unpacked layer.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="LayerException">A layer is not usable.</exception>
    /// <exception cref="ImageException"><see cref="ImageFault.NoSpace"/>, <see cref="ImageFault.ToolFailed"/>.</exception>
    public static async Task BuildAsync(
        string image, IReadOnlyList<ImageLayer> layers, string temporaryPath, string path, long maxLayerBytes, CancellationToken cancellationToken)
    {
        MergedTarPlan plan = await LayerMerger.PlanAsync(layers, maxLayerBytes, cancellationToken);
        try
        {
            // Held open so that a failing tool, which deletes its file, does not free the space before it is looked at.
            using SafeFileHandle file = File.OpenHandle(temporaryPath, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            Exception? writerFault = null;
            Command command = Cli.Wrap("tar2sqfs")
                .WithArguments(["-q", "-f", "-s", "-c", Compressor, "-X", CompressorOptions, "-b", BlockBytes.ToString(CultureInfo.InvariantCulture), "-j", Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture), temporaryPath])
                .WithStandardInputPipe(PipeSource.Create(async (stream, token) =>
                {
                    try
                    {
                        await using BufferedStream buffered = new(stream, 1 << 18);
                        await LayerMerger.WriteAsync(plan, layers, buffered, token);
                    }
                    catch (Exception e) when (e is not OperationCanceledException)
                    {
                        // Also a broken pipe when the tool ends early: then its own words are the better ones.
                        writerFault = e;
                    }
                }));
            HostToolResult result = await HostTool.RunAsync(command, "squashfs-tools-ng", onLine: null, cancellationToken);
            if (writerFault is LayerException fault)
            {
                throw new LayerException(fault.Layer, fault.Fault, fault.Message, fault);
            }

            if (result.ExitCode != 0 || writerFault is not null)
            {
                throw Failed(image, path, file, result, writerFault);
            }

            RandomAccess.FlushToDisk(file);
            File.SetUnixFileMode(temporaryPath, UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
            File.Move(temporaryPath, path, overwrite: true);
        }
        finally
        {
            File.Delete(temporaryPath);
        }
    }

    private static ImageException Failed(string image, string path, SafeFileHandle file, HostToolResult result, Exception? writerFault)
    {
        // tar2sqfs says "I/O error" of a full file system.
        string errors = result.Errors.Length > 0 ? result.Errors : writerFault?.Message ?? "no message";
        return StoreSpace.SaysFull(errors) || StoreSpace.IsFull(file)
            ? StoreSpace.Exhausted(image, "building its disk", path)
            : new ImageException(ImageFault.ToolFailed, image, $"Building the disk of {image}: tar2sqfs ended with code {result.ExitCode}: {errors}", writerFault);
    }
}
