using System.Formats.Tar;
using System.Text.Json;
using Vks.Spherelet.Node;

namespace Vks.Spherelet.Machines;

/// <summary>Machines that are kept running, on disk: <c>kept/NAME/machine.json</c>, <c>data.img</c>, and <c>files/</c> for what waits for the next start.</summary>
/// <remarks>Each file is replaced whole by rename. All folders are for their owner alone: keys of a control plane pass through them.</remarks>
internal sealed class KeptMachineStore(KeptMachineOptions options)
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly string _root = Path.Combine(options.RootDirectory, "kept");

    /// <summary>The names of all that have a record.</summary>
    public IReadOnlyList<string> Names =>
        Directory.Exists(_root) ? [.. Directory.EnumerateDirectories(_root).Select(static path => Path.GetFileName(path)).Where(name => File.Exists(RecordOf(name))).Order(StringComparer.Ordinal)] : [];

    /// <summary>Its persistent disk.</summary>
    public string DiskOf(string name) => Path.Combine(_root, name, "data.img");

    /// <summary>Reads the record.</summary>
    /// <exception cref="KeptMachineException"><see cref="KeptMachineFault.HostFailed"/>: it cannot be read.</exception>
    public KeptMachineRecord Load(string name)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(RecordOf(name)), KeptMachineJson.Default.KeptMachineRecord) ?? throw new JsonException("it holds no record");
        }
        catch (Exception problem) when (problem is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new KeptMachineException(
                KeptMachineFault.HostFailed, name, $"Machine {name}: {RecordOf(name)} cannot be read: {problem.Message}. Its disk is {DiskOf(name)}; put the record right, or remove the folder.", problem);
        }
    }

    /// <summary>Keeps the record.</summary>
    public void Save(KeptMachineRecord record)
    {
        MakeFolder(Path.Combine(_root, record.Name));
        Write(RecordOf(record.Name), JsonSerializer.SerializeToUtf8Bytes(record, KeptMachineJson.Default.KeptMachineRecord));
    }

    /// <summary>Makes the persistent disk, an empty ext4, unless it is there. It appears whole or not at all.</summary>
    /// <exception cref="KeptMachineException"><see cref="KeptMachineFault.HostFailed"/>: mkfs failed.</exception>
    public async Task EnsureDiskAsync(string name, int sizeMiB, CancellationToken cancellationToken)
    {
        string path = DiskOf(name);
        if (File.Exists(path))
        {
            return;
        }

        string draft = path + ".new";
        MakeFolder(Path.Combine(_root, name));
        await using (FileStream file = new(draft, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = OwnerOnly }))
        {
            file.SetLength(sizeMiB * 1024L * 1024);
        }

        // With a journal: this disk outlives machines that are killed.
        HostToolResult made = await HostTool.RunAsync("mkfs.ext4", ["-q", "-F", "-m", "0", "-L", "vks-member", "-E", "nodiscard", draft], "e2fsprogs", cancellationToken);
        if (made.ExitCode != 0)
        {
            File.Delete(draft);
            throw new KeptMachineException(KeptMachineFault.HostFailed, name, $"Machine {name}: making its disk {path}: mkfs.ext4 ended with {made.ExitCode}: {made.Errors}");
        }

        File.Move(draft, path);
    }

    /// <summary>Keeps a file for the next start.</summary>
    /// <exception cref="KeptMachineException"><see cref="KeptMachineFault.WrongState"/>: too many wait already.</exception>
    public void PutFile(string name, string path, ReadOnlySpan<byte> content)
    {
        string file = Path.Combine(FilesOf(name), path);
        if (!File.Exists(file) && Directory.Exists(FilesOf(name)) && Directory.EnumerateFiles(FilesOf(name), "*", SearchOption.AllDirectories).Count() >= KeptMachineRules.MaxFiles)
        {
            throw new KeptMachineException(KeptMachineFault.WrongState, name, $"Machine {name}: {KeptMachineRules.MaxFiles} files wait for its start already. Start it first.");
        }

        try
        {
            MakeFolder(Path.Combine(_root, name));
            MakeFolder(FilesOf(name));
            Directory.CreateDirectory(Path.GetDirectoryName(file)!, OwnerOnly | UnixFileMode.UserExecute);
            Write(file, content);
        }
        catch (IOException problem)
        {
            throw new KeptMachineException(KeptMachineFault.WrongState, name, $"Machine {name}: keeping {path} for its start: {problem.Message}", problem);
        }
    }

    /// <summary>All files that wait, as one tar archive; and which they are, for <see cref="ForgetFiles"/>.</summary>
    public (byte[] Archive, IReadOnlyList<(string File, byte[] Content)> Files) PackFiles(string name)
    {
        List<(string, byte[])> files = [];
        using MemoryStream archive = new();
        using (TarWriter writer = new(archive, TarEntryFormat.Ustar, leaveOpen: true))
        {
            string root = FilesOf(name);
            foreach (string file in Directory.Exists(root) ? Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal) : Enumerable.Empty<string>())
            {
                if (file.EndsWith(Draft, StringComparison.Ordinal))
                {
                    continue;
                }

                byte[] content = File.ReadAllBytes(file);
                using MemoryStream bytes = new(content);
                writer.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, Path.GetRelativePath(root, file)) { DataStream = bytes, Mode = OwnerOnly });
                files.Add((file, content));
            }
        }

        // The class library writes nothing at all for no entry, which tar(1) takes for no archive.
        return (files.Count == 0 ? new byte[EmptyArchiveBytes] : archive.ToArray(), files);
    }

    /// <summary>Deletes files that a machine has now; one that was put anew meanwhile stays.</summary>
    public static void ForgetFiles(IReadOnlyList<(string File, byte[] Content)> files)
    {
        foreach ((string file, byte[] content) in files)
        {
            if (File.Exists(file) && File.ReadAllBytes(file).AsSpan().SequenceEqual(content))
            {
                File.Delete(file);
            }
        }
    }

    /// <summary>Deletes everything of a machine. One that is not there is no error.</summary>
    public void Delete(string name)
    {
        // The record first: what is left without one is nobody's, and is found by the next PutFile or SetMachine of that name.
        File.Delete(RecordOf(name));
        if (Directory.Exists(Path.Combine(_root, name)))
        {
            Directory.Delete(Path.Combine(_root, name), recursive: true);
        }
    }

    private const string Draft = "~new";

    /// <summary>The end of an archive: two blocks of zeros.</summary>
    private const int EmptyArchiveBytes = 1024;

    private string RecordOf(string name) => Path.Combine(_root, name, "machine.json");

    private string FilesOf(string name) => Path.Combine(_root, name, "files");

    private static void MakeFolder(string path) => Directory.CreateDirectory(path, OwnerOnly | UnixFileMode.UserExecute);

    private static void Write(string path, ReadOnlySpan<byte> bytes)
    {
        string draft = path + Draft;
        using (FileStream file = new(draft, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = OwnerOnly }))
        {
            file.Write(bytes);
            file.Flush(flushToDisk: true);
        }

        File.Move(draft, path, overwrite: true);
    }
}
