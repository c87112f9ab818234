using System.Globalization;
using Microsoft.Extensions.Logging;
using Vks.Runtime.Host;
using Vks.Runtime.Qemu;
using Vks.Runtime.Qmp;

namespace Vks.Runtime.Machines;

/// <summary>Takes back the machines of an earlier daemon, by facts: the record only says where to look.</summary>
/// <remarks>
/// A machine is taken back when its very process runs (id and start time), its monitor says "running" and its agent answers.
/// Anything else below our folders is ended and deleted, a half-made machine too.
/// </remarks>
internal sealed partial class MachineAdopter(CrxEngineOptions options, UserIdPool userIds, TimeProvider time, ILoggerFactory loggers)
{
    /// <summary>How long monitor and agent of one machine may take to answer; machines are asked side by side.</summary>
    private static readonly TimeSpan s_answerTimeout = TimeSpan.FromSeconds(20);

    private readonly ILogger _logger = loggers.CreateLogger<MachineAdopter>();

    /// <summary>Looks at every folder an earlier daemon left.</summary>
    /// <returns>What runs, with its spec.</returns>
    internal async Task<IReadOnlyList<(MachineSpec Spec, CrxRun Run, ConsoleLog Console)>> AdoptAllAsync(CancellationToken cancellationToken)
    {
        string stateRoot = MachineFiles.StateRoot(options);
        string[] paths = [.. new[] { stateRoot, MachineFiles.RuntimeRoot(options) }.Where(Directory.Exists).SelectMany(Directory.EnumerateFileSystemEntries)];
        foreach (string foreign in paths.Where(path => !MachineId.TryParse(Path.GetFileName(path), out _)))
        {
            Foreign(foreign);
            DeleteForeign(foreign);
        }

        // A QEMU may have outlived its folders: its name still tells whose it is.
        MachineId[] left = [.. paths.Concat(QemuScan.NamesBelow(stateRoot)).Select(Path.GetFileName).Distinct()
            .Select(name => MachineId.TryParse(name, out MachineId id) ? id : default).Where(id => id != default)];
        (MachineSpec, CrxRun, ConsoleLog)?[] found = await Task.WhenAll(left.Select(id => AdoptOrCleanAsync(id, cancellationToken)));
        return [.. found.OfType<(MachineSpec, CrxRun, ConsoleLog)>()];
    }

    private async Task<(MachineSpec Spec, CrxRun Run, ConsoleLog Console)?> AdoptOrCleanAsync(MachineId id, CancellationToken cancellationToken)
    {
        var files = new MachineFiles(options, id);
        try
        {
            (MachineSpec Spec, CrxRun Run, ConsoleLog Console) adopted = await AdoptAsync(id, files, cancellationToken);
            Adopted(id, adopted.Run.QemuPid);
            return adopted;
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            Cleaning(id, exception.Message);
        }

        try
        {
            await EndProcessesAsync(files);
            await Cgroup.Find(MachineFiles.CgroupParent, files.CgroupName).RemoveAsync(cancellationToken);
            MachineCleaner.DeleteFolders(files);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            CleaningFailed(exception, id);
        }

        return null;
    }

    private async Task<(MachineSpec Spec, CrxRun Run, ConsoleLog Console)> AdoptAsync(MachineId id, MachineFiles files, CancellationToken cancellationToken)
    {
        MachineRecord record = MachineStore.Read(files.Record);
        if (record.Spec.Id != id)
        {
            throw new InvalidDataException($"its record is that of machine {record.Spec.Id}");
        }

        if (record.Spec.Spare)
        {
            throw new InvalidDataException("it was started before anybody needed it, and nobody took it");
        }

        if (!record.Started || record.HostBootId != HostBoot.Id)
        {
            throw new InvalidDataException(record.Started ? "the host was booted since" : "its start was not finished");
        }

        QemuProcess process = QemuProcess.TryAdopt(record.QemuPid, record.QemuStartTicks)
            ?? throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"its QEMU, process {record.QemuPid}, has ended"));
        if (!userIds.TryTake(record.UserId))
        {
            process.Dispose();
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"its user id {record.UserId} belongs to another machine"));
        }

        await using var undo = new UndoStack((what, exception) => UndoFailed(exception, id, what));
        undo.Push("user id", () => userIds.Release(record.UserId));
        undo.Push("hold of QEMU", process.Dispose);
        using var timeUp = new CancellationTokenSource(s_answerTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeUp.Token, cancellationToken);

        QmpClient qmp = await MachineBoot.ConnectMonitorAsync(files, time, either.Token);
        undo.Push("monitor", qmp.DisposeAsync);
        QmpRunState state = await qmp.QueryStatusAsync(either.Token);
        if (!state.Running)
        {
            throw new InvalidDataException($"QEMU says that it is '{state.Status}'");
        }

        var console = new ConsoleLog();
        ConsoleReader reader = await ConsoleReader.OpenAsync(files.ConsoleSocket, console, either.Token);
        undo.Push("console", reader.DisposeAsync);
        GuestLink link = await GuestLink.OpenAsync(files.AgentSocket, usedBefore: true, forTemplate: false, loggers, either.Token);
        undo.Push("agent's channel", link.DisposeAsync);

        // The daemon may have died between writing a disk down and plugging it in, or between unplugging it and striking it out.
        IReadOnlyList<string> plugged = await qmp.ListDisksAsync(either.Token);
        MachineRecord facts = record with { Disks = [.. record.Disks.Where(disk => plugged.Contains(disk.Serial))] };
        undo.Clear();
        Cgroup cgroup = Cgroup.Find(MachineFiles.CgroupParent, files.CgroupName);
        return (record.Spec, new CrxRun(new CrxParts(files, cgroup, process, qmp, link, reader), facts, userIds), console);
    }

    /// <summary>
    /// Kills every QEMU that carries the machine's folder as its name. The record is not enough: a daemon may have died between
    /// starting QEMU and noting its process id.
    /// </summary>
    private static async Task EndProcessesAsync(MachineFiles files)
    {
        foreach (int pid in QemuScan.ProcessesNamed(files.StateDirectory))
        {
            if (ProcessStart.ReadTicks(pid) is { } ticks && QemuProcess.TryAdopt(pid, ticks) is { } process)
            {
                await MachineBoot.EndAsync(process);
            }
        }
    }

    private void DeleteForeign(string path)
    {
        try
        {
            if (Directory.Exists(path))
            {
                MachineCleaner.Delete(path);
            }
            else
            {
                File.Delete(path);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            ForeignStays(exception, path);
        }
    }

    [LoggerMessage(2030, LogLevel.Information, "Machine {MachineId} was taken back: QEMU process {QemuPid} runs and its agent answers")]
    private partial void Adopted(MachineId machineId, int qemuPid);

    [LoggerMessage(2031, LogLevel.Warning, "Machine {MachineId} of an earlier daemon cannot be taken back and is deleted: {Reason}")]
    private partial void Cleaning(MachineId machineId, string reason);

    [LoggerMessage(2032, LogLevel.Error, "Machine {MachineId} of an earlier daemon could not be deleted whole; the next start tries again")]
    private partial void CleaningFailed(Exception exception, MachineId machineId);

    [LoggerMessage(2033, LogLevel.Error, "Machine {MachineId}: giving up its adoption left the {What} behind")]
    private partial void UndoFailed(Exception exception, MachineId machineId, string what);

    [LoggerMessage(2034, LogLevel.Warning, "{Path} belongs to no machine and is deleted")]
    private partial void Foreign(string path);

    [LoggerMessage(2035, LogLevel.Error, "{Path} belongs to no machine and could not be deleted")]
    private partial void ForeignStays(Exception exception, string path);
}
