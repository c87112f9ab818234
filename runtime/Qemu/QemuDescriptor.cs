namespace Vks.Runtime.Qemu;

/// <summary>The numbers at which QEMU finds what it inherits.</summary>
internal static class QemuDescriptor
{
    /// <summary>Listening socket of the QMP monitor.</summary>
    internal const int Monitor = 10;

    /// <summary>Listening socket of the agent's virtio-serial port.</summary>
    internal const int Agent = 11;

    /// <summary>Listening socket of the guest's console (hvc0).</summary>
    internal const int Console = 12;

    /// <summary>The tap.</summary>
    internal const int Tap = 13;

    /// <summary><c>/dev/vhost-vsock</c>.</summary>
    internal const int Vhost = 14;

    /// <summary>The kernel, opened by the daemon: QEMU's user need not reach its folder.</summary>
    internal const int Kernel = 15;

    /// <summary>The initramfs, likewise.</summary>
    internal const int Initramfs = 16;

    /// <summary>The writable scratch disk.</summary>
    internal const int Scratch = 18;

    /// <summary>The file that a template's memory is left in.</summary>
    internal const int Memory = 17;

    /// <summary>Where a clone has its template's memory, for reading only.</summary>
    internal const int TemplateMemory = 60;
}
