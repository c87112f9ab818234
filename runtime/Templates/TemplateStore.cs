using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using Vks.Runtime.Host;

namespace Vks.Runtime.Templates;

/// <summary>Templates on disk: one folder each, named after its key, with <c>memory</c>, <c>state</c>, <c>scratch</c> and <c>template.json</c>.</summary>
internal sealed class TemplateStore(string root)
{
    private const string MemoryFile = "memory", StateFile = "state", ScratchFile = "scratch", RecordFile = "template.json";

    /// <summary>The names of the folders there are, least recently used first.</summary>
    internal IReadOnlyList<string> Names() => Directory.Exists(root)
        ? [.. new DirectoryInfo(root).EnumerateDirectories().OrderBy(static folder => folder.LastWriteTimeUtc).Select(static folder => folder.Name)]
        : [];

    /// <summary>Writes a guest that was saved into a folder of the caller's, from where <see cref="Publish"/> takes it.</summary>
    /// <param name="folder">Must not exist; on the same file system.</param>
    /// <param name="shape">What the guest is.</param>
    /// <param name="guest">Its memory, devices and disk.</param>
    /// <param name="now">Wall clock.</param>
    /// <param name="cancellationToken">Ends the work; the folder is the caller's to delete.</param>
    internal static void Write(string folder, TemplateShape shape, GuestImage guest, DateTimeOffset now, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        using SafeFileHandle target = CreateFile(Path.Combine(folder, MemoryFile));
        long copied = SparseCopy.Copy(guest.Memory, target, cancellationToken);
        byte[] devices = ReadAll(guest.State);
        using (SafeFileHandle file = CreateFile(Path.Combine(folder, StateFile)))
        {
            RandomAccess.Write(file, devices, 0);
        }

        byte[] scratch = DiskBlocks.Pack(guest.Scratch);
        using (SafeFileHandle file = CreateFile(Path.Combine(folder, ScratchFile)))
        {
            RandomAccess.Write(file, scratch, 0);
        }

        var record = new TemplateRecord
        {
            Version = TemplateRecord.CurrentVersion,
            Shape = shape,
            MemoryBytes = RandomAccess.GetLength(guest.Memory),
            DataBytes = copied,
            MemoryHash = SparseCopy.Hash(guest.Memory, "a guest's memory", cancellationToken),
            StateHash = Convert.ToHexStringLower(SHA256.HashData(devices)),
            ScratchHash = Convert.ToHexStringLower(SHA256.HashData(scratch)),
            Made = now,
        };
        File.WriteAllBytes(Path.Combine(folder, RecordFile), JsonSerializer.SerializeToUtf8Bytes(record, TemplateJson.Default.TemplateRecord));
    }

    /// <summary>Gives a written folder its name; from then on it is a template.</summary>
    internal void Publish(string folder, string name)
    {
        Directory.CreateDirectory(root, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Delete(name);
        Directory.Move(folder, Path.Combine(root, name));
    }

    /// <summary>Opens a template and reads all of it, so that what is used is what was written.</summary>
    /// <returns>The template, or null when there is no folder of that name.</returns>
    /// <exception cref="InvalidDataException">It is not whole or not what was written; the message says what.</exception>
    internal Template? Open(string name, CancellationToken cancellationToken)
    {
        string folder = Path.Combine(root, name);
        if (!Directory.Exists(folder))
        {
            return null;
        }

        SafeFileHandle? memory = null;
        SafeFileHandle? state = null;
        try
        {
            TemplateRecord record = ReadRecord(Path.Combine(folder, RecordFile));
            string memoryPath = Path.Combine(folder, MemoryFile);
            memory = OpenFile(memoryPath);
            state = OpenFile(Path.Combine(folder, StateFile));
            byte[] scratch = File.ReadAllBytes(Path.Combine(folder, ScratchFile));
            if (Convert.ToHexStringLower(SHA256.HashData(scratch)) != record.ScratchHash)
            {
                throw new InvalidDataException($"{folder} does not hold what was written to it.");
            }

            var template = new Template(name, record, memory, state, DiskBlocks.Unpack(scratch));
            bool whole = RandomAccess.GetLength(memory) == record.MemoryBytes
                && SparseCopy.Hash(memory, memoryPath, cancellationToken) == record.MemoryHash
                && Convert.ToHexStringLower(SHA256.HashData(ReadAll(state))) == record.StateHash;
            return whole && template.IsUntouched ? template : throw new InvalidDataException($"{folder} does not hold what was written to it.");
        }
        catch (Exception exception)
        {
            memory?.Dispose();
            state?.Dispose();
            if (exception is IOException or UnauthorizedAccessException or JsonException or HostException)
            {
                throw new InvalidDataException($"{folder} is not whole: {exception.Message}", exception);
            }

            throw;
        }
    }

    /// <summary>Says that it was used just now, so that others are deleted before it.</summary>
    internal void Touch(string name, DateTimeOffset now)
    {
        try
        {
            Directory.SetLastWriteTimeUtc(Path.Combine(root, name), now.UtcDateTime);
        }
        catch (IOException)
        {
            // Deleted meanwhile; a clone of it does not mind.
        }
    }

    /// <summary>Bytes that a template takes on disk.</summary>
    internal long SizeOf(string name)
    {
        string path = Path.Combine(root, name, MemoryFile);
        try
        {
            using SafeFileHandle file = OpenFile(path);
            return HostFile.DataExtents(file, path).Sum(static extent => extent.Length);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or HostException)
        {
            return 0;
        }
    }

    /// <summary>Deletes a template. Clones of it go on. An absent one is no error.</summary>
    internal void Delete(string name)
    {
        string folder = Path.Combine(root, name);
        try
        {
            // The record first: what is left of a deletion that is cut short is no template.
            File.Delete(Path.Combine(folder, RecordFile));
            Directory.Delete(folder, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // That is what was wanted.
        }
    }

    private static TemplateRecord ReadRecord(string path)
    {
        TemplateRecord record = JsonSerializer.Deserialize(File.ReadAllBytes(path), TemplateJson.Default.TemplateRecord)
            ?? throw new InvalidDataException($"{path} holds no record.");
        return record.Version == TemplateRecord.CurrentVersion ? record : throw new InvalidDataException($"{path} has version {record.Version}.");
    }

    private static byte[] ReadAll(SafeFileHandle file)
    {
        var bytes = new byte[RandomAccess.GetLength(file)];
        int count = RandomAccess.Read(file, bytes, 0);
        return count == bytes.Length ? bytes : throw new IOException($"{count} of {bytes.Length} bytes could be read.");
    }

    private static SafeFileHandle OpenFile(string path) => File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);

    private static SafeFileHandle CreateFile(string path)
    {
        SafeFileHandle file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite);
        File.SetUnixFileMode(file, UnixFileMode.UserRead);
        return file;
    }
}
