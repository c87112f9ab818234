using System.Text.Json;

namespace Vks.Runtime.Qmp;

/// <summary>Turns event lines into <see cref="QmpEvent"/>s. Pure.</summary>
internal static class QmpEventReader
{
    /// <summary>Reads an event. One whose data is not as expected is kept as <see cref="QmpEvent.Other"/>, never dropped.</summary>
    internal static QmpEvent Read(QmpLine line)
    {
        string name = line.Event ?? throw new ArgumentException("The line is not an event.", nameof(line));
        DateTimeOffset at = ReadTime(line.Timestamp);
        string json = line.Data?.GetRawText() ?? "{}";
        try
        {
            return name switch
            {
                "SHUTDOWN" => JsonSerializer.Deserialize(json, QmpJson.Default.QmpShutdownData) is { } data
                    ? new QmpEvent.Shutdown(data.Guest, data.Reason ?? "") { At = at } : Other(),
                "RESET" => JsonSerializer.Deserialize(json, QmpJson.Default.QmpShutdownData) is { } data
                    ? new QmpEvent.Reset(data.Guest, data.Reason ?? "") { At = at } : Other(),
                "GUEST_PANICKED" => JsonSerializer.Deserialize(json, QmpJson.Default.QmpPanicData) is { Action: { } action }
                    ? new QmpEvent.GuestPanicked(action) { At = at } : Other(),
                "DEVICE_DELETED" => JsonSerializer.Deserialize(json, QmpJson.Default.QmpDeviceDeletedData) is { Path: { } path } data
                    ? new QmpEvent.DeviceDeleted(data.Device, path) { At = at } : Other(),
                "STOP" => new QmpEvent.Stopped { At = at },
                "RESUME" => new QmpEvent.Resumed { At = at },
                "MIGRATION" => JsonSerializer.Deserialize(json, QmpJson.Default.QmpMigrationData) is { Status: { } status }
                    ? new QmpEvent.Migration(status) { At = at } : Other(),
                "BLOCK_IO_ERROR" => JsonSerializer.Deserialize(json, QmpJson.Default.QmpBlockErrorData) is { } data
                    ? new QmpEvent.BlockIoError(data.NodeName ?? "", data.Operation ?? "", data.Action ?? "", data.Reason ?? "") { At = at } : Other(),
                _ => Other(),
            };
        }
        catch (JsonException)
        {
            return Other();
        }

        QmpEvent.Other Other() => new(name, json) { At = at };
    }

    // QEMU sends -1 when it has no clock; anything outside the calendar is garbage.
    private static DateTimeOffset ReadTime(QmpTimestamp? timestamp)
    {
        const long LastSecond = 253_402_300_799; // 9999-12-31T23:59:59Z
        return timestamp is { Seconds: >= 0 and <= LastSecond, Microseconds: >= 0 and < 1_000_000 }
            ? DateTimeOffset.FromUnixTimeSeconds(timestamp.Seconds).AddMicroseconds(timestamp.Microseconds)
            : DateTimeOffset.UnixEpoch;
    }
}
