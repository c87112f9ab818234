using Vks.Runtime.Host;

namespace Vks.Runtime.Qemu;

/// <summary>A running QEMU, started by this daemon or adopted from an earlier one.</summary>
internal sealed class QemuProcess : IDisposable
{
    /// <summary>Its process id.</summary>
    internal int Pid => throw new NotSupportedException();

    /// <summary>When it started, in clock ticks since the host booted; with <see cref="Pid"/> it names the process for good. Keep both in machine.json.</summary>
    internal ulong StartTicks => throw new NotSupportedException();

    /// <summary>Completes when it has ended. Never fails.</summary>
    internal Task<ProcessExit> Exited => throw new NotSupportedException();

    /// <summary>The last lines it wrote to stderr, oldest first; empty for an adopted one.</summary>
    internal IReadOnlyList<string> LastLines => throw new NotSupportedException();

    /// <summary>Starts QEMU; completes once the program has been executed (its monitor may then be connected to at once: the socket listens already).</summary>
    /// <exception cref="QemuException"><see cref="QemuFault.StartFailed"/>, <see cref="QemuFault.ProgramMissing"/>, <see cref="QemuFault.FilesMissing"/>, <see cref="QemuFault.AcceleratorUnusable"/>. Nothing runs then.</exception>
    internal static Task<QemuProcess> StartAsync(QemuLaunch launch) => throw new NotSupportedException();

    /// <summary>Takes hold of the QEMU an earlier daemon started; null when that very process is gone.</summary>
    internal static QemuProcess? TryAdopt(int pid, ulong startTicks) => throw new NotSupportedException();

    /// <summary>The exception that tells of an unexpected end: exit and last lines. Call after <see cref="Exited"/>.</summary>
    internal QemuException Describe(ProcessExit exit) => throw new NotSupportedException();

    /// <summary>Sends SIGKILL; no error when it has ended already.</summary>
    internal void Kill() => throw new NotSupportedException();

    /// <summary>Lets go of it; it goes on running.</summary>
    public void Dispose() => throw new NotSupportedException();
}
