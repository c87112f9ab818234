using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using System.Threading.Channels;

namespace Vks.Runtime.Qmp;

// A disk is three things in QEMU: a descriptor in an fd set, a block node, a SCSI device. Each is named after the serial, so that
// whoever connects later, also another daemon, finds them again.
internal sealed partial class QmpClient
{
    private const string NamePrefix = "disk-";
    private const string ScsiDiskType = "child<scsi-hd>";

    /// <summary>Plugs a raw disk into the guest: passes the descriptor, adds the block node, adds the SCSI device. All or nothing.</summary>
    /// <param name="disk">What it is.</param>
    /// <param name="file">Open for reading, and for writing unless the disk is read-only. The caller keeps its own copy.</param>
    /// <param name="cancellationToken">Ends the waiting; what was done is undone then.</param>
    internal async Task AttachDiskAsync(QmpDisk disk, SafeHandle file, CancellationToken cancellationToken)
    {
        if (!SerialPattern().IsMatch(disk.Serial))
        {
            throw new ArgumentException($"Disk serial '{disk.Serial}' is not 1 to 20 characters of A-Z, a-z, 0-9, '_' and '-'.", nameof(disk));
        }

        string name = NamePrefix + disk.Serial;
        if ((await ListDisksAsync(cancellationToken)).Contains(disk.Serial))
        {
            throw new QmpException(QmpFault.CommandFailed, "device_add", $"A disk with serial {disk.Serial} is plugged in already.", "GenericError");
        }

        try
        {
            long fdset = Read("add-fd", await _connection.SendAsync(
                "add-fd", new QmpAddFdArguments(name), QmpJson.Default.QmpCommandQmpAddFdArguments, file, cancellationToken), QmpJson.Default.QmpAddFdReply).FdsetId;
            await SendAsync("blockdev-add", Block(disk, name, fdset), QmpJson.Default.QmpCommandQmpBlockdevAddArguments, cancellationToken);
            await SendAsync(
                "device_add",
                new QmpScsiDiskArguments { Id = name, Drive = name, Serial = disk.Serial, DeviceId = disk.Serial },
                QmpJson.Default.QmpCommandQmpScsiDiskArguments,
                cancellationToken);
        }
        catch (Exception exception) when (exception is QmpException { Fault: QmpFault.CommandFailed } or OperationCanceledException)
        {
            // Answers come in the order of the commands, so this runs after whatever a cancelled wait left under way.
            await UndoAttachAsync(disk.Serial);
            throw;
        }
    }

    /// <summary>Unplugs a disk: asks the guest to let go, waits for DEVICE_DELETED, removes block node and descriptor. An unknown serial is no error.</summary>
    /// <param name="serial">The disk's serial.</param>
    /// <param name="timeout">How long the guest may take to let go.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="QmpException"><see cref="QmpFault.TimedOut"/>: the guest does not let go; call again to go on.</exception>
    internal async Task DetachDiskAsync(string serial, TimeSpan timeout, CancellationToken cancellationToken)
    {
        string name = NamePrefix + serial;
        await DeleteDeviceAsync(name, timeout, cancellationToken);

        List<QmpBlockNode> nodes = Read("query-named-block-nodes", await SendAsync(
            "query-named-block-nodes", new QmpQueryNodesArguments(Flat: true), QmpJson.Default.QmpCommandQmpQueryNodesArguments, cancellationToken), QmpJson.Default.ListQmpBlockNode);
        if (nodes.Exists(node => node.NodeName == name))
        {
            await SendAsync("blockdev-del", new QmpBlockdevDelArguments(name), QmpJson.Default.QmpCommandQmpBlockdevDelArguments, cancellationToken);
        }

        List<QmpFdset> sets = await AskAsync("query-fdsets", QmpJson.Default.ListQmpFdset, cancellationToken);
        foreach (QmpFdset set in sets.Where(set => set.Fds.Any(member => member.Opaque == name)))
        {
            await SendAsync("remove-fd", new QmpRemoveFdArguments(set.FdsetId), QmpJson.Default.QmpCommandQmpRemoveFdArguments, cancellationToken);
        }
    }

    /// <summary>Serials of the disks that are plugged in, also those an earlier daemon plugged.</summary>
    internal async Task<IReadOnlyList<string>> ListDisksAsync(CancellationToken cancellationToken)
    {
        List<QmpQomProperty> devices = Read("qom-list", await SendAsync(
            "qom-list", new QmpQomListArguments("/machine/peripheral"), QmpJson.Default.QmpCommandQmpQomListArguments, cancellationToken), QmpJson.Default.ListQmpQomProperty);
        return [.. devices.Where(device => device.Type == ScsiDiskType && device.Name.StartsWith(NamePrefix, StringComparison.Ordinal))
            .Select(device => device.Name[NamePrefix.Length..])];
    }

    private static QmpBlockdevAddArguments Block(QmpDisk disk, string name, long fdset) => new()
    {
        NodeName = name,
        ReadOnly = disk.ReadOnly,
        File = new QmpBlockFile
        {
            Driver = disk.IsBlockDevice ? "host_device" : "file",
            Filename = string.Create(CultureInfo.InvariantCulture, $"/dev/fdset/{fdset}"),
            ReadOnly = disk.ReadOnly,

            // Who may write to a device of the host at the same time is for whoever hands it out: a volume may be meant for several pods.
            Locking = disk.ReadOnly || disk.IsBlockDevice ? "off" : "auto",

            // A device's content is nobody else's to cache: what the guest has written is on the device, for all who read it there.
            Cache = new QmpBlockCache { Direct = disk.IsBlockDevice },
        },
    };

    private async Task DeleteDeviceAsync(string name, TimeSpan timeout, CancellationToken cancellationToken)
    {
        Channel<QmpEvent> events = _connection.Subscribe();
        using CancellationTokenSource deadline = new(timeout, _time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        try
        {
            await SendAsync("device_del", new QmpDeviceDelArguments(name), QmpJson.Default.QmpCommandQmpDeviceDelArguments, either.Token);
            await foreach (QmpEvent qmpEvent in events.Reader.ReadAllAsync(either.Token))
            {
                if (qmpEvent is QmpEvent.DeviceDeleted deleted && deleted.Device == name)
                {
                    return;
                }
            }

            throw new QmpException(QmpFault.ConnectionLost, "device_del", $"The connection to QEMU ended before {name} was gone.");
        }
        catch (QmpException exception) when (exception.ErrorClass == "DeviceNotFound")
        {
            // Never plugged, or gone already.
        }
        catch (OperationCanceledException exception) when (deadline.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new QmpException(QmpFault.TimedOut, "device_del", $"{name} was not let go within {timeout.TotalSeconds:0.#} s.", cause: exception);
        }
        finally
        {
            _connection.Unsubscribe(events);
        }
    }

    private async Task UndoAttachAsync(string serial)
    {
        try
        {
            await DetachDiskAsync(serial, TimeSpan.FromSeconds(3), CancellationToken.None);
        }
        catch (QmpException)
        {
            // The first failure is the one to tell; what is left goes with QEMU.
        }
    }

    [GeneratedRegex(@"^[A-Za-z0-9_-]{1,20}\z", RegexOptions.CultureInvariant)]
    private static partial Regex SerialPattern();
}
