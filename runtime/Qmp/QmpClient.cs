using System.Runtime.InteropServices;

namespace Vks.Runtime.Qmp;

/// <summary>Typed commands to one QEMU. Safe to use from many threads; answers may come in any order.</summary>
/// <remarks>Every command throws <see cref="QmpException"/>. A cancelled command ends the waiting only: QEMU may still carry it out.</remarks>
internal sealed class QmpClient : IAsyncDisposable
{
    /// <summary>QEMU's version from its greeting.</summary>
    internal Version QemuVersion => throw new NotSupportedException();

    /// <summary>Completes when the connection has ended, for whatever reason. Never fails.</summary>
    internal Task Closed => throw new NotSupportedException();

    /// <summary>Reads the greeting and leaves negotiation mode.</summary>
    /// <param name="transport">Owned by the client from here on, also when this fails.</param>
    /// <param name="time">Measures deadlines.</param>
    /// <param name="cancellationToken">Gives up the connection.</param>
    internal static Task<QmpClient> ConnectAsync(QmpTransport transport, TimeProvider time, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    /// <summary>Events from now on, until the connection ends. Each reader gets every event; a reader that falls 256 behind loses the oldest.</summary>
    internal IAsyncEnumerable<QmpEvent> ReadEventsAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>query-status.</summary>
    internal Task<QmpRunState> QueryStatusAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>cont: lets the guest's CPUs run.</summary>
    internal Task ContinueAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>stop: halts the guest's CPUs.</summary>
    internal Task StopAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>quit: ends QEMU at once; the guest is not asked. Losing the connection meanwhile counts as success.</summary>
    internal Task QuitAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>system_powerdown: presses the power button (needs ACPI in the guest; microvm guests are asked through their agent instead).</summary>
    internal Task PowerDownAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Plugs a raw disk into the guest: passes the descriptor, adds the block node, adds the SCSI device. All or nothing.</summary>
    internal Task AttachDiskAsync(QmpDisk disk, SafeHandle file, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Unplugs a disk: asks the guest to let go, waits for DEVICE_DELETED, removes block node and descriptor. An unknown serial is no error.</summary>
    /// <param name="serial">The disk's serial.</param>
    /// <param name="timeout">How long the guest may take to let go.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    internal Task DetachDiskAsync(string serial, TimeSpan timeout, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Serials of the disks that are plugged in, also those an earlier daemon plugged.</summary>
    internal Task<IReadOnlyList<string>> ListDisksAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>balloon: asks the guest to give memory back until it has this many bytes.</summary>
    internal Task SetBalloonAsync(long guestBytes, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>query-balloon: bytes of memory the guest has now.</summary>
    internal Task<long> QueryBalloonAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Closes the connection; commands under way fail with <see cref="QmpFault.ConnectionLost"/>.</summary>
    public ValueTask DisposeAsync() => throw new NotSupportedException();
}

/// <summary>A disk to plug in.</summary>
/// <param name="Serial">SCSI serial, 1 to 20 characters of <c>[A-Za-z0-9_-]</c>.</param>
/// <param name="ReadOnly">The guest cannot write; the file may be shared with other guests.</param>
internal sealed record QmpDisk(string Serial, bool ReadOnly);

/// <summary>Answer to query-status.</summary>
/// <param name="Running">The guest's CPUs run.</param>
/// <param name="Status">QEMU's word: <c>running</c>, <c>paused</c>, <c>shutdown</c>, <c>guest-panicked</c>, …</param>
internal sealed record QmpRunState(bool Running, string Status);
