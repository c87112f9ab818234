using System.Text.Json;
using System.Text.Json.Serialization;

namespace Vks.Runtime.Qmp;

// What travels on the wire, as in QEMU's qapi/*.json. Members we do not know are ignored: each QEMU version adds some.

/// <summary>Any line from QEMU: greeting, event, result or error; exactly one of the first four is there.</summary>
internal sealed record QmpLine
{
    [JsonPropertyName("QMP")]
    public QmpGreeting? Greeting { get; init; }

    public string? Event { get; init; }

    public JsonElement? Return { get; init; }

    public QmpError? Error { get; init; }

    public long? Id { get; init; }

    public JsonElement? Data { get; init; }

    public QmpTimestamp? Timestamp { get; init; }
}

internal sealed record QmpGreeting(QmpVersion Version);

internal sealed record QmpVersion(QmpVersionNumber Qemu);

internal sealed record QmpVersionNumber(int Major, int Minor, int Micro);

internal sealed record QmpError([property: JsonPropertyName("class")] string? Class, string? Desc);

internal sealed record QmpTimestamp(long Seconds, long Microseconds);

internal sealed record QmpNoArguments;

internal sealed record QmpRunStateReply(bool Running, string Status);

internal sealed record QmpBalloonArguments(long Value);

internal sealed record QmpBalloonReply(long Actual);

internal sealed record QmpAddFdArguments(string Opaque);

internal sealed record QmpAddFdReply(long FdsetId);

internal sealed record QmpRemoveFdArguments(long FdsetId);

internal sealed record QmpFdset(long FdsetId, IReadOnlyList<QmpFdsetMember> Fds);

internal sealed record QmpFdsetMember(string? Opaque);

internal sealed record QmpBlockNode(string? NodeName);

internal sealed record QmpQueryNodesArguments(bool Flat);

internal sealed record QmpQomListArguments(string Path);

internal sealed record QmpQomProperty(string Name, string Type);

/// <summary>blockdev-add of a raw image over an open file.</summary>
internal sealed record QmpBlockdevAddArguments
{
    public required string NodeName { get; init; }

    public string Driver { get; init; } = "raw";

    public required bool ReadOnly { get; init; }

    /// <summary>A guest's TRIM gives the space back to the host's file system.</summary>
    public string Discard { get; init; } = "unmap";

    public required QmpBlockFile File { get; init; }
}

/// <summary>The file under a block node.</summary>
internal sealed record QmpBlockFile
{
    /// <summary><c>file</c> or, for a block device, <c>host_device</c>.</summary>
    public required string Driver { get; init; }

    public required string Filename { get; init; }

    public required bool ReadOnly { get; init; }

    /// <summary>Off: QEMU would otherwise want to open the descriptor a second time when its use changes.</summary>
    public bool AutoReadOnly { get; init; }

    /// <summary><c>off</c> for read-only disks, which many guests share, and for devices; <c>auto</c> for writable files, so that none is written by two.</summary>
    public required string Locking { get; init; }

    public string Aio { get; init; } = "threads";

    public string Discard { get; init; } = "unmap";

    public QmpBlockCache Cache { get; init; } = new();
}

internal sealed record QmpBlockCache
{
    /// <summary>False: through the host's page cache, which all guests of one image share. True: O_DIRECT.</summary>
    public bool Direct { get; init; }

    /// <summary>False: what the guest flushes is flushed on the host.</summary>
    public bool NoFlush { get; init; }
}

internal sealed record QmpBlockdevDelArguments(string NodeName);

/// <summary>device_add of a SCSI disk.</summary>
internal sealed record QmpScsiDiskArguments
{
    public string Driver { get; init; } = "scsi-hd";

    public required string Id { get; init; }

    public string Bus { get; init; } = "scsi0.0";

    public required string Drive { get; init; }

    public required string Serial { get; init; }

    [JsonPropertyName("device_id")]
    public required string DeviceId { get; init; }

    /// <summary>1: tells the guest it does not rotate, as an SSD.</summary>
    [JsonPropertyName("rotation_rate")]
    public int RotationRate { get; init; } = 1;
}

internal sealed record QmpDeviceDelArguments(string Id);

internal sealed record QmpCapabilitiesArguments(IReadOnlyList<QmpCapability> Capabilities);

internal sealed record QmpCapability(string Capability, bool State);

internal sealed record QmpMigrationParameters(long AnnounceRounds);

internal sealed record QmpGetFdArguments(string Fdname);

internal sealed record QmpUriArguments(string Uri);

internal sealed record QmpMigrationData(string? Status);

internal sealed record QmpShutdownData(bool Guest, string? Reason);

internal sealed record QmpPanicData(string? Action);

internal sealed record QmpDeviceDeletedData(string? Device, string? Path);

internal sealed record QmpBlockErrorData(string? NodeName, string? Operation, string? Action, string? Reason);

/// <summary>A command on the wire.</summary>
internal sealed record QmpCommand<T>(string Execute, long Id, T Arguments);

/// <summary>How QMP's messages are read and written without reflection.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.KebabCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    AllowDuplicateProperties = true)]
[JsonSerializable(typeof(QmpLine))]
[JsonSerializable(typeof(QmpCommand<QmpNoArguments>))]
[JsonSerializable(typeof(QmpCommand<QmpBalloonArguments>))]
[JsonSerializable(typeof(QmpCommand<QmpAddFdArguments>))]
[JsonSerializable(typeof(QmpCommand<QmpRemoveFdArguments>))]
[JsonSerializable(typeof(QmpCommand<QmpBlockdevAddArguments>))]
[JsonSerializable(typeof(QmpCommand<QmpBlockdevDelArguments>))]
[JsonSerializable(typeof(QmpCommand<QmpScsiDiskArguments>))]
[JsonSerializable(typeof(QmpCommand<QmpDeviceDelArguments>))]
[JsonSerializable(typeof(QmpCommand<QmpQueryNodesArguments>))]
[JsonSerializable(typeof(QmpCommand<QmpQomListArguments>))]
[JsonSerializable(typeof(QmpCommand<QmpCapabilitiesArguments>))]
[JsonSerializable(typeof(QmpCommand<QmpMigrationParameters>))]
[JsonSerializable(typeof(QmpCommand<QmpGetFdArguments>))]
[JsonSerializable(typeof(QmpCommand<QmpUriArguments>))]
[JsonSerializable(typeof(QmpMigrationData))]
[JsonSerializable(typeof(QmpRunStateReply))]
[JsonSerializable(typeof(QmpBalloonReply))]
[JsonSerializable(typeof(QmpAddFdReply))]
[JsonSerializable(typeof(List<QmpFdset>))]
[JsonSerializable(typeof(List<QmpBlockNode>))]
[JsonSerializable(typeof(List<QmpQomProperty>))]
[JsonSerializable(typeof(QmpShutdownData))]
[JsonSerializable(typeof(QmpPanicData))]
[JsonSerializable(typeof(QmpDeviceDeletedData))]
[JsonSerializable(typeof(QmpBlockErrorData))]
internal sealed partial class QmpJson : JsonSerializerContext;
