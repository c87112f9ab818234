namespace Vks.Runtime.Qemu;

/// <summary>Everything that decides QEMU's argument list. The same settings give the same list.</summary>
internal sealed record QemuSettings
{
    /// <summary>Name of the guest, for people who read the process list.</summary>
    internal required string Name { get; init; }

    /// <summary>KVM or TCG.</summary>
    internal required QemuAccelerator Accelerator { get; init; }

    /// <summary>Virtual CPUs, 1 to 64.</summary>
    internal int VcpuCount { get; init; } = 1;

    /// <summary>Guest memory in MiB.</summary>
    internal int MemoryMiB { get; init; } = 512;

    /// <summary>Room for translated code under TCG, in MiB.</summary>
    internal int TranslationMiB { get; init; } = 96;

    /// <summary>Where the guest's memory comes from, and with it how the guest begins.</summary>
    internal QemuMemory Memory { get; init; } = QemuMemory.Fresh;

    /// <summary>The guest's memory is kept out of what the host can share or write down: page merging and core dumps.</summary>
    internal bool PrivateMemory { get; init; }

    /// <summary>Uncompressed ELF kernel with a PVH entry.</summary>
    internal required string KernelPath { get; init; }

    /// <summary>Initial file system (cpio) whose <c>/init</c> is the agent.</summary>
    internal required string InitramfsPath { get; init; }

    /// <summary>Rate of the host's time stamp counter in kHz; the guest is told so under TCG, where it cannot find out reliably. Null: not told.</summary>
    internal long? TscKHz { get; init; }

    /// <summary>Further words for the kernel command line, e.g. <c>vks.channel=vsock</c>.</summary>
    internal IReadOnlyList<string> KernelArguments { get; init; } = [];

    /// <summary>Serial by which the guest finds a writable disk that is there from the beginning, or null for none.</summary>
    internal string? ScratchSerial { get; init; }

    /// <summary>The guest's network device, or null.</summary>
    internal QemuNetwork? Network { get; init; }

    /// <summary>A host folder offered over virtio-9p, or null.</summary>
    internal QemuShare? Share { get; init; }

    /// <summary>Context id of the guest's vsock device (3 or more), or null for none.</summary>
    internal uint? VsockContextId { get; init; }
}

/// <summary>Where a guest's memory comes from.</summary>
internal enum QemuMemory
{
    /// <summary>Memory of QEMU's own; the guest boots.</summary>
    Fresh = 0,

    /// <summary>The file handed over as <see cref="QemuDescriptor.Memory"/>; the guest boots, and leaves its memory there.</summary>
    Saved = 1,

    /// <summary>A private mapping of a file that a <see cref="Saved"/> guest left; QEMU waits for that guest's device state (migrate-incoming).</summary>
    Restored = 2,
}

/// <summary>What runs the guest's instructions.</summary>
internal enum QemuAccelerator
{
    /// <summary>The processor, through <c>/dev/kvm</c>.</summary>
    Kvm = 1,

    /// <summary>QEMU's translator, in software.</summary>
    Tcg = 2,
}

/// <summary>The guest's network device; its tap is handed over as <see cref="QemuDescriptor.Tap"/>.</summary>
/// <param name="Mac">MAC address, <c>02:11:22:33:44:55</c>.</param>
/// <param name="Mtu">MTU in bytes that virtio tells the guest.</param>
internal sealed record QemuNetwork(string Mac, int Mtu);

/// <summary>A host folder that the guest can mount as type 9p.</summary>
/// <param name="Path">The folder on the host.</param>
/// <param name="Tag">Its mount tag.</param>
internal sealed record QemuShare(string Path, string Tag)
{
    /// <summary>Where QEMU finds the folder: it sees a file system of its own, with this folder and little else.</summary>
    internal const string PathInside = "/share";
}
