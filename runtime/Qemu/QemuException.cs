namespace Vks.Runtime.Qemu;

/// <summary>What is wrong with QEMU.</summary>
public enum QemuFault
{
    /// <summary>The program is not there, or cannot be executed.</summary>
    ProgramMissing = 1,

    /// <summary>Kernel or initramfs is not there, or not readable.</summary>
    FilesMissing = 2,

    /// <summary>The program could not be started.</summary>
    StartFailed = 3,

    /// <summary>It ended when it should not have.</summary>
    Exited = 4,

    /// <summary>The host has no <c>/dev/kvm</c> that QEMU's user may open.</summary>
    AcceleratorUnusable = 5,

    /// <summary>This QEMU lacks something we need, e.g. the microvm machine.</summary>
    Unsuitable = 6,
}

/// <summary>QEMU could not be started, ended, or does not fit. The message says what was tried, on what, what came back, what to do.</summary>
public sealed class QemuException(QemuFault fault, string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>The kind of fault.</summary>
    public QemuFault Fault { get; } = fault;

    /// <summary>QEMU's exit code, when it exited by itself.</summary>
    public int? ExitCode { get; init; }

    /// <summary>The last lines it wrote, oldest first.</summary>
    public IReadOnlyList<string> LastLines { get; init; } = [];
}
