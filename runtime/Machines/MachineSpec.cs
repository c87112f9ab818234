using System.Text.Json.Serialization;
using Vks.Runtime.Host;

namespace Vks.Runtime.Machines;

/// <summary>What a machine is to be. Immutable; checked whole before anything is changed.</summary>
public sealed record MachineSpec
{
    /// <summary>The machine's name; for a pod the pod sandbox id.</summary>
    public required MachineId Id { get; init; }

    /// <summary>Virtual CPUs, 1 to 64.</summary>
    public int VcpuCount { get; init; } = 1;

    /// <summary>Guest memory in MiB, 96 to 1048576.</summary>
    public int MemoryMiB { get; init; } = 512;

    /// <summary>
    /// Under software emulation, room for translated code in MiB, 32 to 2048, of which QEMU takes what it comes to need. When it is full, all of it is thrown away
    /// and translated again. Default 96: the start of a pod with one container fills 56, its programs need room too.
    /// </summary>
    public int TranslationMiB { get; init; } = 96;

    /// <summary>The pod's network, or null for a machine without one.</summary>
    public NetworkAttachment? Network { get; init; }

    /// <summary>Size of the writable scratch disk in MiB (sparse ext4), or 0 for none.</summary>
    public int ScratchMiB { get; init; }

    /// <summary>Host folder shared with the guest over virtio-9p under tag <c>vks</c>, or null for none.</summary>
    public string? SharedDirectory { get; init; }

    /// <summary>No page of its memory is ever shared: neither merged with equal pages of other machines (KSM) nor mapped from a template.</summary>
    public bool Isolated { get; init; }

    /// <summary>
    /// Started before anybody needs it: it weighs a sixteenth of its neighbours, is not booted where its template gives no guest, and a daemon that
    /// starts anew ends it instead of taking it back. Until <see cref="Machine.Claim"/>.
    /// </summary>
    public bool Spare { get; init; }

    /// <summary>What the owner wants to find again after a restart; not read by the engine.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();
}

/// <summary>Where a machine's network device plugs in. Network namespace and tap exist before the machine and outlive it.</summary>
/// <param name="NetnsPath">The network namespace QEMU runs in, e.g. <c>/run/netns/vks-0123456789ab</c>.</param>
/// <param name="TapName">A tap interface in that namespace.</param>
/// <param name="Mac">MAC of the guest's device, <c>02:11:22:33:44:55</c>.</param>
/// <param name="Mtu">Bytes, 68 to 65535; given to the guest by virtio.</param>
public sealed record NetworkAttachment(string NetnsPath, string TapName, string Mac, int Mtu)
{
    /// <summary>
    /// A plug whose network is not made yet: address and MTU are told to the guest with its personality. Until then it has an address that
    /// nobody has, and an MTU above all others, since the guest can only lower it.
    /// </summary>
    /// <param name="netnsPath">The network namespace.</param>
    /// <param name="tapName">The tap in it.</param>
    public static NetworkAttachment Unwired(string netnsPath, string tapName) => new(netnsPath, tapName, GuestSettings.TemplateMac, GuestSettings.TemplateMtu);
}

/// <summary>A disk that is plugged into a running machine.</summary>
/// <param name="Serial">SCSI serial by which the guest finds it: 1 to 20 characters of <c>[A-Za-z0-9_-]</c>, unique in the machine.</param>
/// <param name="Path">Raw disk image or block device on the host.</param>
/// <param name="ReadOnly">The guest cannot write; such a disk may be in many machines at once.</param>
public sealed record DiskAttachment(string Serial, string Path, bool ReadOnly)
{
    /// <summary>The host's block device that the path is to lead to; another one is refused. Null: whatever the path leads to.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public HostBlockDevice? Device { get; init; }
}
