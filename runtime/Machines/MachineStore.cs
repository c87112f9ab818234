using System.Text.Json;
using Vks.Runtime.Host;

namespace Vks.Runtime.Machines;

/// <summary>Reads and writes the <c>machine.json</c> of one machine. A reader sees the old or the new content, never a part.</summary>
internal static class MachineStore
{
    /// <summary>Replaces the record.</summary>
    /// <param name="path">Where.</param>
    /// <param name="record">What.</param>
    /// <param name="durable">
    /// Whether it must outlive a power cut. Only the first record of a machine must: after one, process ids mean nothing any more.
    /// </param>
    internal static void Write(string path, MachineRecord record, bool durable)
    {
        string temporary = path + ".new";
        using (FileStream file = Create(temporary))
        {
            JsonSerializer.Serialize(file, record, MachineJson.Default.MachineRecord);
            file.Flush(flushToDisk: durable);
        }

        File.Move(temporary, path, overwrite: true);
        if (durable)
        {
            HostFile.SyncDirectory(Path.GetDirectoryName(path)!);
        }
    }

    /// <summary>Reads the record.</summary>
    /// <exception cref="InvalidDataException">It is missing, half written, or of a version this build does not know; the message says which.</exception>
    internal static MachineRecord Read(string path)
    {
        try
        {
            byte[] content = File.ReadAllBytes(path);
            int version = JsonSerializer.Deserialize(content, MachineJson.Default.RecordVersion)?.Version ?? 0;
            if (version != MachineRecord.CurrentVersion)
            {
                throw new InvalidDataException(
                    $"{path} has version {version}; this build reads version {MachineRecord.CurrentVersion}. Run the build that wrote it, or remove the machine.");
            }

            return JsonSerializer.Deserialize(content, MachineJson.Default.MachineRecord)
                ?? throw new InvalidDataException($"{path} holds no record.");
        }
        catch (JsonException exception)
        {
            throw new InvalidDataException($"{path} is not a machine record: {exception.Message}", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new InvalidDataException($"{path} could not be read: {exception.Message}", exception);
        }
    }

    private static FileStream Create(string path) => new(path, new FileStreamOptions
    {
        Mode = FileMode.Create,
        Access = FileAccess.Write,
        UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
    });
}
