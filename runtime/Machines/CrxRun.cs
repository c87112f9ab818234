using System.Globalization;
using Microsoft.Win32.SafeHandles;
using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Host;
using Vks.Runtime.Qemu;
using Vks.Runtime.Qmp;

namespace Vks.Runtime.Machines;

/// <summary>A QEMU with a booted guest, and the connections to both.</summary>
internal sealed class CrxRun : IMachineRun
{
    /// <summary>How long a guest may take to let go of a disk.</summary>
    private static readonly TimeSpan UnplugTime = TimeSpan.FromSeconds(10);

    private readonly CrxParts _parts;
    private readonly UserIdPool _userIds;
    private readonly Lock _recordLock = new();
    private MachineRecord _record;

    /// <summary>Takes over everything in <paramref name="parts"/>.</summary>
    internal CrxRun(CrxParts parts, MachineRecord record, UserIdPool userIds)
    {
        _parts = parts;
        _record = record;
        _userIds = userIds;
        Ended = DescribeEndAsync();
        _ = WatchResumesAsync();
        GuestLost = _parts.Guest.Closed;
    }

    /// <inheritdoc/>
    public int QemuPid => _parts.Process.Pid;

    /// <inheritdoc/>
    public string KernelRelease => _record.KernelRelease ?? "";

    /// <inheritdoc/>
    public string? Template => _record.Template;

    /// <inheritdoc/>
    public DateTimeOffset Since => _record.Since;

    /// <inheritdoc/>
    public IReadOnlyList<StageTime> Stages => _record.Stages;

    /// <inheritdoc/>
    public IReadOnlyList<DiskAttachment> Disks => _record.Disks;

    /// <inheritdoc/>
    public GuestClient Guest => _parts.Guest.Client;

    /// <inheritdoc/>
    public Task<string> Ended { get; }

    /// <inheritdoc/>
    public Task<string> GuestLost { get; }

    /// <inheritdoc/>
    public event Action? Resumed;

    /// <summary>Says on disk that the machine has come up: from now on a restarted daemon takes it back.</summary>
    internal void MarkStarted() => Record(record => record with { Started = true });

    /// <inheritdoc/>
    public Task AskPowerOffAsync(CancellationToken cancellationToken) =>
        Guest.CallAsync(GuestMethods.PowerOff, new Empty(), GuestJson.Default.Empty, GuestJson.Default.Empty, cancellationToken);

    /// <summary>Closes the agent's channel and writes the devices' state; the guest stands still afterwards. Its memory must be that of a template.</summary>
    internal async Task SaveAsync(SafeFileHandle state, CancellationToken cancellationToken)
    {
        await _parts.Guest.DisposeAsync();

        // The guest is told of the closed channel and settles: who is restored begins with waiting for a host.
        await Task.Delay(TimeSpan.FromMilliseconds(300), cancellationToken);
        await _parts.Qmp.SaveStateAsync(state, cancellationToken);
    }

    /// <inheritdoc/>
    public void Terminate()
    {
        _ = QuitAsync();

        async Task QuitAsync()
        {
            try
            {
                await _parts.Qmp.QuitAsync(CancellationToken.None);
            }
            catch (QmpException)
            {
                // Only a courtesy before SIGKILL, which follows whatever comes of it.
            }
        }
    }

    /// <inheritdoc/>
    public void Kill() => _parts.Process.Kill();

    /// <inheritdoc/>
    public async Task PlugAsync(DiskAttachment disk, CancellationToken cancellationToken)
    {
        FileKind kind = FileKinds.Of(disk.Path);
        if (kind == FileKind.Other)
        {
            throw new MachineException(
                MachineFault.DiskFailed, _record.Spec.Id, $"Disk '{disk.Serial}' cannot be {disk.Path}: it is neither a file nor a block device.");
        }

        using SafeFileHandle file = kind == FileKind.BlockDevice || disk.Device is not null ? OpenDevice(disk) : File.OpenHandle(
            disk.Path,
            FileMode.Open,
            disk.ReadOnly ? FileAccess.Read : FileAccess.ReadWrite,
            FileShare.ReadWrite | FileShare.Delete);

        // On disk first: a daemon that dies in between must still know the disk it may have plugged in.
        Record(record => record with { Disks = [.. record.Disks.Where(known => known.Serial != disk.Serial), disk] });
        try
        {
            QmpDisk plug = new(disk.Serial, disk.ReadOnly) { IsBlockDevice = kind == FileKind.BlockDevice };
            await _parts.Qmp.AttachDiskAsync(plug, file, cancellationToken);
        }
        catch (QmpException)
        {
            ForgetDisk(disk.Serial);
            throw;
        }
    }

    /// <inheritdoc/>
    public async Task UnplugAsync(string serial, CancellationToken cancellationToken)
    {
        await _parts.Qmp.DetachDiskAsync(serial, UnplugTime, cancellationToken);
        ForgetDisk(serial);
    }

    /// <inheritdoc/>
    public string? SetCpuShares(long shares) => _parts.Cgroup.SetCpuShares(shares);

    /// <inheritdoc/>
    public void Claim(MachineSpec spec)
    {
        Record(record => record with { Spec = spec });

        // Without CPU shares on this host it had the usual weight all along.
        _ = SetCpuShares(Cgroup.UsualShares);
    }

    /// <inheritdoc/>
    public async Task CleanAsync(CancellationToken cancellationToken)
    {
        await DisposeAsync();
        await _parts.Cgroup.RemoveAsync(cancellationToken);
        MachineCleaner.DeleteFolders(_parts.Files);
        _userIds.Release(_record.UserId);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _parts.Guest.DisposeAsync();
        await _parts.Qmp.DisposeAsync();
        await _parts.Console.DisposeAsync();
        _parts.Process.Dispose();
    }

    /// <summary>Ends with the connection to QEMU.</summary>
    private async Task WatchResumesAsync()
    {
        await foreach (QmpEvent told in _parts.Qmp.ReadEventsAsync(CancellationToken.None))
        {
            if (told is QmpEvent.Resumed)
            {
                Resumed?.Invoke();
            }
        }
    }

    private async Task<string> DescribeEndAsync()
    {
        ProcessExit exit = await _parts.Process.Exited;

        // The last words of QEMU and guest are in pipe and socket when the process is gone; a moment is enough to read them.
        Task lastWords = Task.WhenAll(_parts.Console.Drained, _parts.Process.OutputEnded);
        await Task.WhenAny(lastWords, Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System));
        IReadOnlyList<string> lines = _parts.Process.LastLines;
        string words = lines.Count == 0 ? "without a word" : $"and said:\n  {string.Join("\n  ", lines)}\n";
        return string.Create(CultureInfo.InvariantCulture, $"(process {QemuPid}) {exit} {words}");
    }

    /// <summary>Paths of devices may lead to another one by now, numbers do not.</summary>
    private SafeFileHandle OpenDevice(DiskAttachment disk)
    {
        SafeFileHandle file = HostBlockDevice.Open(disk.Path, disk.ReadOnly, out HostBlockDevice device);
        if (disk.Device is null || disk.Device == device)
        {
            return file;
        }

        file.Dispose();
        throw new MachineException(
            MachineFault.DiskFailed, _record.Spec.Id, $"Disk '{disk.Serial}' was to be block device {disk.Device}, but {disk.Path} leads to {device} by now.");
    }

    private void ForgetDisk(string serial) =>
        Record(record => record with { Disks = [.. record.Disks.Where(known => known.Serial != serial)] });

    private void Record(Func<MachineRecord, MachineRecord> change)
    {
        lock (_recordLock)
        {
            MachineRecord changed = change(_record);
            MachineStore.Write(_parts.Files.Record, changed, durable: false);
            _record = changed;
        }
    }
}

/// <summary>What a running machine consists of on the host.</summary>
internal sealed record CrxParts(
    MachineFiles Files,
    Cgroup Cgroup,
    QemuProcess Process,
    QmpClient Qmp,
    GuestLink Guest,
    ConsoleReader Console);
