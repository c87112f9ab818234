using Vks.Runtime.Qemu;

namespace Vks.Runtime.Machines;

/// <summary>Which QEMU a machine asks for. Pure but for the host's counter.</summary>
internal static class GuestSettings
{
    /// <summary>virtio-9p mount tag of the shared directory.</summary>
    private const string ShareTag = "vks";

    /// <summary>Network device of templates: an address nobody has, and an MTU above all others, since a clone can only lower it.</summary>
    internal const string TemplateMac = "02:00:00:00:00:00";

    /// <summary>The largest MTU that virtio knows.</summary>
    internal const int TemplateMtu = 65535;

    /// <summary>The settings of one start.</summary>
    internal static QemuSettings Of(MachineSpec spec, BootPlan plan, GuestFiles guest, MachineFiles files) => new()
    {
        Name = files.StateDirectory,
        Accelerator = plan.Accelerator,
        VcpuCount = spec.VcpuCount,
        MemoryMiB = spec.MemoryMiB,
        TranslationMiB = spec.TranslationMiB,
        Memory = plan.SaveTo is not null ? QemuMemory.Saved : plan.Template is not null ? QemuMemory.Restored : QemuMemory.Fresh,
        PrivateMemory = spec.Isolated,
        KernelPath = guest.Kernel,
        InitramfsPath = guest.Initramfs,
        TscKHz = HostTsc.ReadKHz(),
        ScratchSerial = spec.ScratchMiB > 0 ? MachineSpecRules.ScratchSerial : null,
        Network = spec.Network is not { } network ? null : new QemuNetwork(network.Mac, plan.Template is null ? network.Mtu : TemplateMtu),
        Share = spec.SharedDirectory is not { } shared ? null : new QemuShare(plan.SaveTo is null ? shared : files.EmptyShare, ShareTag),
    };
}
