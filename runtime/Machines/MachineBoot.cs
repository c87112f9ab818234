using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Host;
using Vks.Runtime.Qemu;
using Vks.Runtime.Qmp;

namespace Vks.Runtime.Machines;

/// <summary>From an empty socket folder to an agent that answers. A boot that hangs is killed and begun again.</summary>
internal sealed partial class MachineBoot(
    CrxEngineOptions options,
    MachineFiles files,
    GuestFiles guest,
    Cgroup cgroup,
    TimeProvider time,
    ILoggerFactory loggers)
{
    private readonly ILogger _logger = loggers.CreateLogger<MachineBoot>();

    /// <summary>The machine's files.</summary>
    internal MachineFiles Files => files;

    /// <summary>Boots; on failure no process and no socket of it is left.</summary>
    internal async Task<CrxRun> RunAsync(
        MachineRecord record, ConsoleLog console, BootPlan plan, StageTime filesStage, UserIdPool userIds, CancellationToken cancellationToken)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return await TryAsync(record, console, plan, filesStage, userIds, cancellationToken);
            }
            catch (MachineException exception) when (exception.Fault == MachineFault.BootTimedOut && attempt < plan.Tries)
            {
                BootHung(record.Spec.Id, attempt, plan.Tries, exception.Message);
            }
        }
    }

    private async Task<CrxRun> TryAsync(
        MachineRecord record, ConsoleLog console, BootPlan plan, StageTime filesStage, UserIdPool userIds, CancellationToken cancellationToken)
    {
        MachineSpec spec = record.Spec;
        long begin = time.GetTimestamp();
        await using var undo = new UndoStack((what, exception) => UndoFailed(exception, spec.Id, what));

        QemuProcess process = await LaunchAsync(record, plan);
        TimeSpan launched = time.GetElapsedTime(begin);
        undo.Push("QEMU", () => EndAsync(process));
        using var watchdog = new CancellationTokenSource(plan.Timeout, time);
        using var ended = new CancellationTokenSource();
        _ = process.Exited.ContinueWith(_ => Cancel(ended), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, watchdog.Token, ended.Token);
        string waitingFor = "QEMU's monitor";
        try
        {
            MachineRecord running = record with { QemuPid = process.Pid, QemuStartTicks = process.StartTicks, HostBootId = HostBoot.Id };
            MachineStore.Write(files.Record, running, durable: false);

            ConsoleReader reader = await ConsoleReader.OpenAsync(files.ConsoleSocket, console, either.Token);
            undo.Push("console", reader.DisposeAsync);
            QmpClient qmp = await ConnectMonitorAsync(files, time, either.Token);
            undo.Push("monitor", qmp.DisposeAsync);
            TimeSpan qemuTime = time.GetElapsedTime(begin);
            if (plan.Template is { } template)
            {
                waitingFor = "the template's state";
                using SafeFileHandle state = template.OpenState();
                await qmp.RestoreStateAsync(state, either.Token);
            }

            TimeSpan restored = time.GetElapsedTime(begin);
            waitingFor = "the agent";
            GuestLink link = await GuestLink.OpenAsync(files.AgentSocket, usedBefore: false, forTemplate: plan.SaveTo is not null, loggers, either.Token);
            undo.Push("agent's channel", link.DisposeAsync);
            TimeSpan total = time.GetElapsedTime(begin);

            HelloReply session = link.Client.Session;
            running = running with
            {
                KernelRelease = session.KernelRelease,
                Since = time.GetUtcNow(),
                Template = plan.Template?.Name,
                Stages = [filesStage, new StageTime("launch", launched), .. plan.Template is null ? BootStages(launched, qemuTime, total, session) : CloneStages(launched, qemuTime, restored, total)],
            };
            undo.Clear();
            return new CrxRun(new CrxParts(files, cgroup, process, qmp, link, reader), running, userIds);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            // QEMU's sockets close a moment before its process ends: give the end a moment to be seen, it explains the most.
            await Task.WhenAny(process.Exited, Task.Delay(TimeSpan.FromMilliseconds(watchdog.IsCancellationRequested ? 0 : 500), time, CancellationToken.None));
            if (process.Exited.IsCompleted)
            {
                await Task.WhenAny(process.OutputEnded, Task.Delay(TimeSpan.FromMilliseconds(200), time, CancellationToken.None));
                QemuException end = process.Describe(await process.Exited);
                throw new MachineException(
                    MachineFault.QemuFailed, spec.Id, $"QEMU ended while machine {spec.Id.Prefix} waited for {waitingFor}: {end.Message}{ConsoleWords(console)}", end);
            }

            if (watchdog.IsCancellationRequested)
            {
                throw new MachineException(
                    MachineFault.BootTimedOut,
                    spec.Id,
                    string.Create(CultureInfo.InvariantCulture, $"Machine {spec.Id.Prefix} waited {plan.Timeout.TotalSeconds} s for {waitingFor} and was given up.{ConsoleWords(console)}"),
                    exception);
            }

            throw CrxFaults.Translate(spec.Id, $"waiting for {waitingFor}", exception);
        }
    }

    /// <summary>Connects to QEMU's monitor; the client owns the connection.</summary>
    internal static async Task<QmpClient> ConnectMonitorAsync(MachineFiles files, TimeProvider time, CancellationToken cancellationToken)
    {
        Socket socket = await UnixSocket.ConnectAsync(files.QmpSocket, cancellationToken);
        var transport = new QmpTransport(
            new NetworkStream(socket, ownsSocket: true),
            (bytes, descriptor, token) => FdPassing.SendAsync(socket, bytes, descriptor, token));
        return await QmpClient.ConnectAsync(transport, time, cancellationToken);
    }

    /// <summary>Kills a QEMU and waits until it is gone.</summary>
    internal static async ValueTask EndAsync(QemuProcess process)
    {
        process.Kill();
        await process.Exited.WaitAsync(TimeSpan.FromSeconds(3));
        process.Dispose();
    }

    private async Task<QemuProcess> LaunchAsync(MachineRecord record, BootPlan plan)
    {
        MachineSpec spec = record.Spec;
        using SafeHandle monitor = UnixSocket.Listen(files.QmpSocket);
        using SafeHandle agent = UnixSocket.Listen(files.AgentSocket);
        using SafeHandle console = UnixSocket.Listen(files.ConsoleSocket);
        bool isTemplate = plan.SaveTo is not null;
        using SafeFileHandle? tap = spec.Network is not { } network ? null
            : isTemplate ? await Tap.MakeAloneAsync(network.TapName)
            : await Tap.OpenAsync(network.NetnsPath, network.TapName);
        using SafeFileHandle? scratch = spec.ScratchMiB > 0
            ? File.OpenHandle(files.Scratch, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete)
            : null;
        return await QemuProcess.StartAsync(new QemuLaunch
        {
            Settings = GuestSettings.Of(spec, plan, guest, files),
            Program = options.QemuPath,
            Memory = plan.SaveTo ?? plan.Template?.Memory,
            Monitor = monitor,
            Agent = agent,
            Console = console,
            Scratch = scratch,
            Tap = tap,
            NetnsPath = isTemplate ? null : spec.Network?.NetnsPath,
            UserId = record.UserId,
            Cgroup = cgroup,
        });
    }

    /// <summary>QEMU's part, from its exec on, by our clock, the guest's by its own; what is left between them is the channel's.</summary>
    private static IEnumerable<StageTime> BootStages(TimeSpan launched, TimeSpan qemu, TimeSpan total, HelloReply session)
    {
        TimeSpan kernel = TimeSpan.FromTicks(session.AgentStartNanoseconds / TimeSpan.NanosecondsPerTick);
        TimeSpan agent = TimeSpan.FromTicks((session.ReadyNanoseconds - session.AgentStartNanoseconds) / TimeSpan.NanosecondsPerTick);
        TimeSpan rest = total - qemu - kernel - agent;
        return
        [
            new StageTime("qemu", qemu - launched),
            new StageTime("kernel", kernel),
            new StageTime("agent", agent),
            new StageTime("channel", rest < TimeSpan.Zero ? TimeSpan.Zero : rest),
        ];
    }

    private static IEnumerable<StageTime> CloneStages(TimeSpan launched, TimeSpan qemu, TimeSpan restored, TimeSpan total) =>
        [new StageTime("qemu", qemu - launched), new StageTime("restore", restored - qemu), new StageTime("agent", total - restored)];

    private static string ConsoleWords(ConsoleLog console)
    {
        IReadOnlyList<string> tail = console.Tail;
        return tail.Count == 0 ? " The guest's console was silent." : $" Last lines of the guest's console:\n  {string.Join("\n  ", tail.TakeLast(10))}";
    }

    private static void Cancel(CancellationTokenSource source)
    {
        try
        {
            source.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The try is over; its process may end whenever it likes.
        }
    }

    [LoggerMessage(2011, LogLevel.Warning, "Machine {MachineId}: boot {Attempt} of {Tries} hung and is begun again. {Reason}")]
    private partial void BootHung(MachineId machineId, int attempt, int tries, string reason);

    [LoggerMessage(2012, LogLevel.Error, "Machine {MachineId}: giving a boot up left the {What} behind")]
    private partial void UndoFailed(Exception exception, MachineId machineId, string what);
}
