namespace Vks.Runtime.Machines;

/// <summary>Settings of the engine.</summary>
public sealed record CrxEngineOptions
{
    /// <summary>Keeps what must survive a reboot of the daemon. Default <c>/var/lib/vks</c>.</summary>
    public string RootDirectory { get; init; } = "/var/lib/vks";

    /// <summary>Keeps sockets. Default <c>/run/vks</c>.</summary>
    public string RuntimeDirectory { get; init; } = "/run/vks";

    /// <summary>Holds <c>vmlinux</c> and <c>initramfs.cpio</c>. Default <c>/usr/lib/vks/guest</c>.</summary>
    public string GuestDirectory { get; init; } = "/usr/lib/vks/guest";

    /// <summary>The QEMU program: a name on PATH or an absolute path.</summary>
    public string QemuPath { get; init; } = "qemu-system-x86_64";

    /// <summary>Which accelerator to use; Auto boots a guest on KVM once per host boot and falls back to TCG.</summary>
    public AcceleratorChoice Accelerator { get; init; } = AcceleratorChoice.Auto;

    /// <summary>How long one boot may take until the agent answers; a second try follows. Default 20 s.</summary>
    public TimeSpan BootTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Disk space for templates in MiB; those least recently used go first. 0: every machine boots. Default 2048.</summary>
    public int TemplateBudgetMiB { get; init; } = 2048;

    /// <summary>Time between two looks at the clock of a guest, which is kept with the host's; zero: it is set once and then left alone. Default 60 s.</summary>
    public TimeSpan ClockInterval { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>First of 65536 host user ids that QEMU processes run as, one each. Default 2000000.</summary>
    public uint FirstUserId { get; init; } = 2_000_000;
}

/// <summary>Which accelerator the engine uses.</summary>
public enum AcceleratorChoice
{
    /// <summary>KVM when a guest really boots on it, else TCG.</summary>
    Auto = 0,

    /// <summary>KVM only.</summary>
    Kvm = 1,

    /// <summary>TCG (software emulation) only.</summary>
    Tcg = 2,
}
