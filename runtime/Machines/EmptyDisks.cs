using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using CliWrap;
using CliWrap.Exceptions;
using Microsoft.Win32.SafeHandles;
using Vks.Runtime.Host;
using Vks.Runtime.Templates;

namespace Vks.Runtime.Machines;

/// <summary>Makes writable disks: sparse files with an empty ext4.</summary>
/// <remarks>
/// mkfs runs once per size; the few blocks it writes (about 230 KiB for 10 GiB, 1 MiB for 256 GiB) stay in memory and are written again for each further
/// disk, which takes about a millisecond. No reserved blocks and one superblock, since nobody repairs such a disk; inode tables
/// count as zeroed, which they are in a fresh sparse file, so the guest's kernel does not fill the file by zeroing them in background.
/// </remarks>
/// <param name="journal">With a journal, of 4 MiB: for disks that outlive the machine that writes to them, in whatever way that ends.</param>
public sealed class EmptyDisks(bool journal)
{
    private static readonly string[] s_smallJournal = ["-J", "size=4"];

    private readonly ConcurrentDictionary<int, IReadOnlyList<DiskBlock>> _formats = new();

    /// <summary>Makes the disk.</summary>
    /// <param name="path">Where; must not exist.</param>
    /// <param name="sizeMiB">Its size, 16 to 16777216.</param>
    /// <param name="cancellationToken">Ends the work; a part of the file may remain.</param>
    /// <exception cref="IOException">The file cannot be written, or mkfs failed; its words are in the message.</exception>
    public async Task CreateAsync(string path, int sizeMiB, CancellationToken cancellationToken)
    {
        if (_formats.TryGetValue(sizeMiB, out IReadOnlyList<DiskBlock>? blocks))
        {
            await CreateAsync(path, sizeMiB, blocks, cancellationToken);
            return;
        }

        await CreateAsync(path, sizeMiB, [], cancellationToken);
        await FormatAsync(path, cancellationToken);
        _formats.TryAdd(sizeMiB, ReadBlocks(path));
    }

    /// <summary>Makes a disk that holds just these blocks.</summary>
    /// <param name="path">Where; must not exist.</param>
    /// <param name="sizeMiB">Its size.</param>
    /// <param name="blocks">What is not zero.</param>
    /// <param name="cancellationToken">Ends the work; a part of the file may remain.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    internal static async Task CreateAsync(string path, int sizeMiB, IReadOnlyList<DiskBlock> blocks, CancellationToken cancellationToken)
    {
        using SafeFileHandle file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        RandomAccess.SetLength(file, sizeMiB * 1024L * 1024);
        foreach (DiskBlock block in blocks)
        {
            await RandomAccess.WriteAsync(file, block.Bytes, block.Offset, cancellationToken);
        }
    }

    /// <summary>What of a disk is not zero.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    internal static IReadOnlyList<DiskBlock> ReadBlocks(string path)
    {
        using SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var blocks = new List<DiskBlock>();
        foreach ((long offset, long length) in HostFile.DataExtents(file, path))
        {
            var bytes = new byte[length];
            RandomAccess.Read(file, bytes, offset);
            if (bytes.AsSpan().ContainsAnyExcept((byte)0))
            {
                blocks.Add(new DiskBlock(offset, bytes));
            }
        }

        return blocks;
    }

    private async Task FormatAsync(string path, CancellationToken cancellationToken)
    {
        var words = new StringBuilder();
        try
        {
            await Cli.Wrap("mkfs.ext4")
                .WithArguments(
                [
                    "-q", "-F", "-m", "0", "-O", (journal ? "" : "^has_journal,") + "^resize_inode,sparse_super2", .. journal ? s_smallJournal : [],
                    "-E", "num_backup_sb=0,assume_storage_prezeroed=1,lazy_journal_init=1,nodiscard", path,
                ])
                .WithStandardErrorPipe(PipeTarget.ToStringBuilder(words))
                .ExecuteAsync(cancellationToken);
        }
        catch (CommandExecutionException exception)
        {
            throw new IOException(
                string.Create(CultureInfo.InvariantCulture, $"mkfs.ext4 {path} ended with code {exception.ExitCode}: {words.ToString().Trim()}"),
                exception);
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            throw new IOException($"mkfs.ext4 could not be run: {exception.Message}. Install the package e2fsprogs.", exception);
        }
    }
}
