using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;
using Vks.Runtime.Host;
using Vks.Runtime.Qemu;
using Vks.Runtime.Templates;

namespace Vks.Runtime.Machines;

/// <summary>Makes machines of QEMU, our kernel and our agent. What does not depend on the try is made here, once.</summary>
internal sealed partial class CrxBackend(
    CrxEngineOptions options,
    UserIdPool userIds,
    Func<CancellationToken, Task<AcceleratorReport>> accelerator,
    TemplateKeeper templates,
    TimeProvider time,
    ILoggerFactory loggers) : IMachineBackend
{
    /// <summary>Memory QEMU itself may use beside the guest's and TCG's translation buffer: code, device models.</summary>
    private const long QemuOverheadMiB = 288;

    /// <summary>vCPUs, I/O and 9p worker threads of one QEMU; 64 of each kind at most.</summary>
    private const int MaxThreads = 512;

    private const int BootTries = 2;

    private static readonly TimeSpan KillTime = TimeSpan.FromSeconds(3);

    private readonly EmptyDisks _scratchDisks = new(journal: false);

    /// <summary>
    /// Starts are work of the host's CPUs from beginning to end: many side by side are all as late as the last, and none is done within its time. What
    /// is more than this waits its turn, which is no part of that time. The CPUs are there once, however many engines a process has.
    /// </summary>
    private static readonly SemaphoreSlim s_turns = new(2 * Environment.ProcessorCount);
    private readonly ILogger _logger = loggers.CreateLogger<CrxBackend>();

    /// <inheritdoc/>
    public async Task<IMachineRun> StartAsync(MachineSpec spec, ConsoleLog console, CancellationToken cancellationToken)
    {
        AcceleratorReport report = await accelerator(cancellationToken);
        if (spec.Spare)
        {
            // Nobody waits for it: it has little weight, and would keep a turn from those who are waited for.
            return await StartInTurnAsync(spec, console, report, cancellationToken);
        }

        await s_turns.WaitAsync(cancellationToken);
        try
        {
            return await StartInTurnAsync(spec, console, report, cancellationToken);
        }
        finally
        {
            s_turns.Release();
        }
    }

    /// <summary>The template is looked for here: whoever waited long may find one that was made meanwhile.</summary>
    private async Task<IMachineRun> StartInTurnAsync(MachineSpec spec, ConsoleLog console, AcceleratorReport report, CancellationToken cancellationToken)
    {
        var plan = new BootPlan(report.IsKvm ? QemuAccelerator.Kvm : QemuAccelerator.Tcg, options.BootTimeout, BootTries)
        {
            Template = templates.Find(spec, report.IsKvm),
            OnCloned = templates.Praise,
            OnCloneFailed = templates.Blame,
        };
        CrxRun run = await BootAsync(spec, console, plan, markStarted: true, cancellationToken);
        if (run.Template is null)
        {
            _ = templates.WantAsync(spec, report.IsKvm);
        }

        return run;
    }

    /// <summary>Boots a machine as planned; on failure nothing is left.</summary>
    /// <param name="spec">A valid spec.</param>
    /// <param name="console">Gets what the guest prints.</param>
    /// <param name="plan">How to boot.</param>
    /// <param name="markStarted">Whether a restarted daemon is to take the machine back.</param>
    /// <param name="cancellationToken">Gives the start up and undoes it.</param>
    /// <exception cref="MachineException">What went wrong.</exception>
    internal async Task<CrxRun> BootAsync(MachineSpec spec, ConsoleLog console, BootPlan plan, bool markStarted, CancellationToken cancellationToken)
    {
        var files = new MachineFiles(options, spec.Id);
        long begin = time.GetTimestamp();
        string step = "looking for the guest's files";
        await using var undo = new UndoStack((what, exception) => UndoFailed(exception, spec.Id, what));
        try
        {
            GuestFiles guest = GuestFiles.Find(options.GuestDirectory, spec.Id);

            step = "taking a user id";
            uint userId = userIds.TryTake()
                ?? throw new MachineException(MachineFault.ResourceExhausted, spec.Id, $"All {UserIdPool.Size} user ids for machines are taken.");
            undo.Push("user id", () => userIds.Release(userId));

            step = "making its folders";
            undo.Push("folders", () => MachineCleaner.DeleteFolders(files));
            MakeFolder(files.StateDirectory);
            MakeFolder(files.RuntimeDirectory);
            if (plan.SaveTo is not null && spec.SharedDirectory is not null)
            {
                MakeFolder(files.EmptyShare);
            }

            step = "writing its record";
            var record = new MachineRecord { Version = MachineRecord.CurrentVersion, Spec = spec, Started = false, UserId = userId };
            MachineStore.Write(files.Record, record, durable: true);

            if (spec.ScratchMiB > 0)
            {
                step = "making its scratch disk";
                await MakeScratchAsync(files, spec, plan.Template, cancellationToken);
            }

            step = "making its control group";
            Cgroup cgroup = Cgroup.Create(new CgroupSettings(MachineFiles.CgroupParent, files.CgroupName)
            {
                MemoryBytes = (spec.MemoryMiB + spec.TranslationMiB + QemuOverheadMiB) * 1024 * 1024,
                PidsMax = MaxThreads,
            });
            undo.Push("control group", async () => await cgroup.RemoveAsync(CancellationToken.None));
            if (spec.Spare)
            {
                _ = cgroup.SetCpuShares(Cgroup.SpareShares);
            }

            var filesStage = new StageTime("files", time.GetElapsedTime(begin));

            step = "booting it";
            var boot = new MachineBoot(options, files, guest, cgroup, time, loggers);
            CrxRun run = await StartAsync(boot, record, console, plan, filesStage, cancellationToken);
            undo.Push("QEMU", () => EndAsync(run));
            if (markStarted)
            {
                run.MarkStarted();
            }

            undo.Clear();
            return run;
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw CrxFaults.Translate(spec.Id, step, exception);
        }
    }

    /// <summary>From the template if there is one. Where that gives no guest, the machine boots.</summary>
    private async Task<CrxRun> StartAsync(
        MachineBoot boot, MachineRecord record, ConsoleLog console, BootPlan plan, StageTime filesStage, CancellationToken cancellationToken)
    {
        if (plan.Template is { } template)
        {
            try
            {
                CrxRun run = await boot.RunAsync(record, console, plan with { Tries = 1 }, filesStage, userIds, cancellationToken);
                plan.OnCloned?.Invoke(template);
                return run;
            }
            catch (MachineException exception) when (exception.Fault is MachineFault.QemuFailed or MachineFault.AgentFailed or MachineFault.BootTimedOut or MachineFault.DiskFailed)
            {
                if (record.Spec.Spare)
                {
                    // With so little weight it may have been too slow, which speaks against nobody; and none boots for nobody.
                    throw;
                }

                CloneFailed(exception, record.Spec.Id, template.Name);
                plan.OnCloneFailed?.Invoke(template, exception.Fault);
                if (record.Spec.ScratchMiB > 0)
                {
                    // A guest that boots finds the disk empty, not as the template's guest has it.
                    File.Delete(boot.Files.Scratch);
                    await MakeScratchAsync(boot.Files, record.Spec, template: null, cancellationToken);
                }
            }
        }

        return await boot.RunAsync(record, console, plan with { Template = null }, filesStage, userIds, cancellationToken);
    }

    /// <summary>Empty, or as the template's guest has it mounted.</summary>
    private Task MakeScratchAsync(MachineFiles files, MachineSpec spec, Template? template, CancellationToken cancellationToken) => template is null
        ? _scratchDisks.CreateAsync(files.Scratch, spec.ScratchMiB, cancellationToken)
        : EmptyDisks.CreateAsync(files.Scratch, spec.ScratchMiB, template.Scratch, cancellationToken);

    private static async ValueTask EndAsync(CrxRun run)
    {
        run.Kill();
        await run.Ended.WaitAsync(KillTime);
        await run.DisposeAsync();
    }

    private static void MakeFolder(string path)
    {
        const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        Directory.CreateDirectory(Path.GetDirectoryName(path)!, OwnerOnly);
        Directory.CreateDirectory(path, OwnerOnly);
    }

    [LoggerMessage(2010, LogLevel.Error, "Machine {MachineId}: undoing its start left the {What} behind")]
    private partial void UndoFailed(Exception exception, MachineId machineId, string what);

    [LoggerMessage(2013, LogLevel.Warning, "Machine {MachineId}: template {Template} gave no running guest; the machine boots")]
    private partial void CloneFailed(Exception exception, MachineId machineId, string template);
}

/// <summary>How to boot.</summary>
/// <param name="Accelerator">What runs the guest.</param>
/// <param name="Timeout">How long one try may take until the agent answers.</param>
/// <param name="Tries">How often a boot that hangs is begun.</param>
internal sealed record BootPlan(QemuAccelerator Accelerator, TimeSpan Timeout, int Tries)
{
    /// <summary>What to start from instead of booting, or null.</summary>
    internal Template? Template { get; init; }

    /// <summary>Told when the template gave a running guest.</summary>
    internal Action<Template>? OnCloned { get; init; }

    /// <summary>Told when it gave none, and why.</summary>
    internal Action<Template, MachineFault>? OnCloneFailed { get; init; }

    /// <summary>Where the guest's memory is to be left, for a machine that becomes a template; else null.</summary>
    internal SafeFileHandle? SaveTo { get; init; }
}
