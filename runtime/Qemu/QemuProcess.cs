using Microsoft.Win32.SafeHandles;
using Tmds.Linux;
using Vks.Runtime.Host;

namespace Vks.Runtime.Qemu;

/// <summary>A running QEMU, started by this daemon or adopted from an earlier one.</summary>
internal sealed class QemuProcess : IDisposable
{
    private const int LastLineCount = 20;
    private const string KvmDevice = "/dev/kvm";

    /// <summary>
    /// What a server of files needs: CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID. With them QEMU may do everything to the files it
    /// sees, and it sees the shared folder alone.
    /// </summary>
    private static readonly int[] ShareCapabilities = [0, 1, 3, 4];

    private readonly PidFd _process;
    private readonly ChildProcess? _child;

    private QemuProcess(PidFd process, ulong startTicks, ChildProcess? child)
    {
        _process = process;
        _child = child;
        StartTicks = startTicks;
    }

    /// <summary>Its process id.</summary>
    internal int Pid => _process.Pid;

    /// <summary>When it started, in clock ticks since the host booted; with <see cref="Pid"/> it names the process for good. Keep both in machine.json.</summary>
    internal ulong StartTicks { get; }

    /// <summary>Completes when it has ended. Never fails.</summary>
    internal Task<ProcessExit> Exited => _process.Exited;

    /// <summary>The last lines it wrote to stdout and stderr, oldest first; empty for an adopted one.</summary>
    internal IReadOnlyList<string> LastLines =>
        [.. (_child?.OutputTail ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).TakeLast(LastLineCount)];

    /// <summary>Starts QEMU; completes once the program has been executed (its monitor may then be connected to at once: the socket listens already).</summary>
    /// <exception cref="QemuException"><see cref="QemuFault.StartFailed"/>, <see cref="QemuFault.ProgramMissing"/>, <see cref="QemuFault.FilesMissing"/>, <see cref="QemuFault.AcceleratorUnusable"/>. Nothing runs then.</exception>
    internal static async Task<QemuProcess> StartAsync(QemuLaunch launch)
    {
        QemuSettings settings = launch.Settings;
        string program = QemuProbe.FindProgram(launch.Program);
        bool boots = settings.Memory != QemuMemory.Restored;
        using SafeFileHandle? kernel = boots ? OpenGuestFile(settings.KernelPath, "kernel") : null;
        using SafeFileHandle? initramfs = boots ? OpenGuestFile(settings.InitramfsPath, "initramfs") : null;
        if (settings.Share is { } folder && !Directory.Exists(folder.Path))
        {
            throw new QemuException(QemuFault.FilesMissing, $"The shared folder {folder.Path} does not exist.");
        }

        ChildSettings child = new()
        {
            Program = program,
            Arguments = QemuCommandLine.Build(settings),
            Descriptors =
            [
                (QemuDescriptor.Monitor, launch.Monitor),
                (QemuDescriptor.Agent, launch.Agent),
                (QemuDescriptor.Console, launch.Console),
                .. Optional(QemuDescriptor.Kernel, kernel, boots, nameof(settings.KernelPath)),
                .. Optional(QemuDescriptor.Initramfs, initramfs, boots, nameof(settings.InitramfsPath)),
                .. Optional(QemuDescriptor.Memory, launch.Memory, settings.Memory == QemuMemory.Saved, nameof(launch.Memory)),
                .. Optional(QemuDescriptor.Scratch, launch.Scratch, settings.ScratchSerial is not null, nameof(launch.Scratch)),
                .. Optional(QemuDescriptor.Tap, launch.Tap, settings.Network is not null, nameof(launch.Tap)),
                .. Optional(QemuDescriptor.Vhost, launch.Vhost, settings.VsockContextId is not null, nameof(launch.Vhost)),
            ],
            NetnsPath = launch.NetnsPath,
            OwnMountNamespace = true,
            Root = settings.Share is { } shared ? new ChildRoot([KvmDevice], [(shared.Path, QemuShare.PathInside)]) : null,
            User = launch.UserId is { } id
                ? new ChildUser(id, id, GroupsFor(settings.Accelerator), settings.Share is null ? [] : ShareCapabilities)
                : null,

            // The translator would round the little code of an idle guest up to 2 MiB pages. On KVM they are the guest's, and make it faster.
            SmallPages = settings.Accelerator == QemuAccelerator.Tcg,
            StandIn = boots ? null : TemplateMemory(launch),
            Cgroup = launch.Cgroup,
        };
        try
        {
            ChildProcess started = await ChildProcess.StartAsync(child);

            // 0 when it has ended within this moment: Exited tells, and nothing will match it later.
            return new QemuProcess(started.Process, ProcessStart.ReadTicks(started.Process.Pid) ?? 0, started);
        }
        catch (HostException exception)
        {
            bool missing = exception.Call == "posix_spawn" && (exception.Errno == LibC.ENOENT || exception.Errno == LibC.EACCES);
            throw new QemuException(
                missing ? QemuFault.ProgramMissing : QemuFault.StartFailed, $"QEMU ({program}) for {settings.Name} could not be started: {exception.Message}", exception);
        }
    }

    /// <summary>Takes hold of the QEMU an earlier daemon started; null when that very process is gone.</summary>
    internal static QemuProcess? TryAdopt(int pid, ulong startTicks)
    {
        PidFd process;
        try
        {
            process = PidFd.Open(pid);
        }
        catch (HostException exception) when (exception.Errno == LibC.ESRCH || exception.Errno == LibC.EINVAL)
        {
            return null;
        }

        // Read after the process is held: what is read belongs to what is held.
        if (startTicks != 0 && ProcessStart.ReadTicks(pid) == startTicks)
        {
            return new QemuProcess(process, startTicks, child: null);
        }

        process.Dispose();
        return null;
    }

    /// <summary>The exception that tells of an unexpected end: exit and last lines. Call after <see cref="Exited"/>.</summary>
    internal QemuException Describe(ProcessExit exit)
    {
        IReadOnlyList<string> lines = LastLines;
        string said = lines.Count == 0 ? "it wrote nothing" : $"it wrote: {string.Join(" | ", lines)}";
        return new QemuException(QemuFault.Exited, $"QEMU (process {Pid}) {exit}; {said}") { ExitCode = exit.ExitCode, LastLines = lines };
    }

    /// <summary>Completes when everything it wrote has arrived in <see cref="LastLines"/>; at once for an adopted one.</summary>
    internal Task OutputEnded => _child?.OutputEnded ?? Task.CompletedTask;

    /// <summary>Sends SIGKILL; no error when it has ended already.</summary>
    internal void Kill() => _process.Signal(LibC.SIGKILL);

    /// <summary>Lets go of it; it goes on running.</summary>
    public void Dispose()
    {
        if (_child is not null)
        {
            _child.Dispose();
        }
        else
        {
            _process.Dispose();
        }
    }

    private static IEnumerable<(int Number, System.Runtime.InteropServices.SafeHandle Handle)> Optional(
        int number, System.Runtime.InteropServices.SafeHandle? handle, bool wanted, string name) =>
        (wanted, handle) switch
        {
            (false, _) => [],
            (true, null) => throw new ArgumentException($"The settings ask for a device whose descriptor ({name}) is not given.", name),
            (true, not null) => [(number, handle)],
        };

    // QEMU opens memory for writing even where it maps it privately, and gives memory back by holes in the file; the file is every clone's.
    private static ReadOnlyStandIn TemplateMemory(QemuLaunch launch) => new(
        QemuCommandLine.TemplateMemoryPath,
        launch.Memory ?? throw new ArgumentException("A restored guest needs the file of its memory.", nameof(launch)),
        QemuDescriptor.TemplateMemory);

    private static SafeFileHandle OpenGuestFile(string path, string what)
    {
        try
        {
            return File.OpenHandle(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new QemuException(QemuFault.FilesMissing, $"The guest's {what} {path} cannot be read: {exception.Message} Build the guest files, or point the guest directory at them.", exception);
        }
    }

    private static IReadOnlyList<uint> GroupsFor(QemuAccelerator accelerator)
    {
        if (accelerator != QemuAccelerator.Kvm)
        {
            return [];
        }

        if (FileOwner.Read(KvmDevice) is not { } owner)
        {
            throw new QemuException(QemuFault.AcceleratorUnusable, $"{KvmDevice} does not exist: load kvm_intel or kvm_amd, enable virtualisation in the firmware, or use TCG.");
        }

        const UnixFileMode Group = UnixFileMode.GroupRead | UnixFileMode.GroupWrite;
        const UnixFileMode Others = UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
        if ((owner.Mode & Others) == Others)
        {
            return [];
        }

        return (owner.Mode & Group) == Group && owner.GroupId != 0
            ? [owner.GroupId]
            : throw new QemuException(QemuFault.AcceleratorUnusable, $"{KvmDevice} is open to root only, and QEMU does not run as root: `chgrp kvm {KvmDevice} && chmod 660 {KvmDevice}`, or use TCG.");
    }
}
