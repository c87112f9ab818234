using System.Text.Json;
using System.Text.Json.Serialization;

namespace Vks.Runtime.Machines;

/// <summary>What a restarted daemon must know of a machine: the content of <c>machine.json</c>.</summary>
internal sealed record MachineRecord
{
    /// <summary>The version this build writes and reads.</summary>
    internal const int CurrentVersion = 1;

    /// <summary>Version of this layout.</summary>
    public required int Version { get; init; }

    /// <summary>What the machine was asked to be.</summary>
    public required MachineSpec Spec { get; init; }

    /// <summary>The agent has answered once. A machine that was still starting when its daemon died is not taken back.</summary>
    public required bool Started { get; init; }

    /// <summary>Host user id of QEMU.</summary>
    public required uint UserId { get; init; }

    /// <summary>QEMU's process id, or 0 before it runs.</summary>
    public int QemuPid { get; init; }

    /// <summary>When QEMU's process started, in clock ticks since boot (field 22 of /proc/PID/stat); tells it from a later process with the same id.</summary>
    public ulong QemuStartTicks { get; init; }

    /// <summary>The host's boot id when QEMU was started: after a reboot no process id means anything.</summary>
    public string HostBootId { get; init; } = "";

    /// <summary>The guest's kernel release.</summary>
    public string? KernelRelease { get; init; }

    /// <summary>The template it was started from, or null when it booted.</summary>
    public string? Template { get; init; }

    /// <summary>When the machine became Running.</summary>
    public DateTimeOffset Since { get; init; }

    /// <summary>How long each stage of the start took.</summary>
    public IReadOnlyList<StageTime> Stages { get; init; } = [];

    /// <summary>The disks plugged in, or about to be.</summary>
    public IReadOnlyList<DiskAttachment> Disks { get; init; } = [];
}

/// <summary>JSON of the files the engine writes for itself.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true,
    WriteIndented = true,
    Converters = [typeof(MachineIdJsonConverter)])]
[JsonSerializable(typeof(MachineRecord))]
[JsonSerializable(typeof(RecordVersion))]
[JsonSerializable(typeof(AcceleratorRecord))]
internal sealed partial class MachineJson : JsonSerializerContext;

/// <summary>The part of a record that every version of it has; read first, so that an unknown version is told from junk.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Skip)]
internal sealed record RecordVersion
{
    /// <summary>The version.</summary>
    public required int Version { get; init; }
}

/// <summary>The cached result of the accelerator probe.</summary>
/// <param name="HostBootId">The host boot it holds for.</param>
/// <param name="Subject">QEMU and guest kernel it was found with.</param>
/// <param name="IsKvm">Guests run on KVM.</param>
/// <param name="Reason">Why, for a person.</param>
internal sealed record AcceleratorRecord(string HostBootId, string Subject, bool IsKvm, string Reason);

/// <summary>Writes a <see cref="MachineId"/> as its text.</summary>
internal sealed class MachineIdJsonConverter : JsonConverter<MachineId>
{
    /// <inheritdoc/>
    public override MachineId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        MachineId.TryParse(reader.GetString(), out MachineId id) ? id : throw new JsonException("Not a machine id.");

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, MachineId value, JsonSerializerOptions options) => writer.WriteStringValue(value.Value);
}
