namespace Vks.Runtime.Guest.Protocol;

/// <summary>A message without content.</summary>
public sealed record Empty;

/// <summary>What makes one guest this pod and no other.</summary>
public sealed record GuestPersonality
{
    /// <summary>The pod's host name, at most 63 bytes; set for the UTS namespace all containers share.</summary>
    public required string Hostname { get; init; }

    /// <summary>Wall clock at sending, nanoseconds since 1970-01-01 UTC.</summary>
    public required long WallClockUnixNanoseconds { get; init; }

    /// <summary>Fresh randomness from the host, at least 32 bytes, credited to the guest's pool.</summary>
    public required byte[] Entropy { get; init; }

    /// <summary>32 lower-case hex digits for /etc/machine-id.</summary>
    public required string MachineId { get; init; }

    /// <summary>Network interfaces to set up, found in the guest by their present MAC or order.</summary>
    public IReadOnlyList<GuestInterface> Interfaces { get; init => field = value ?? []; } = [];

    /// <summary>Routes, added in order.</summary>
    public IReadOnlyList<GuestRoute> Routes { get; init => field = value ?? []; } = [];

    /// <summary>Content of resolv.conf for every container, or null to leave the image's own.</summary>
    public string? ResolvConf { get; init; }

    /// <summary>Content of /etc/hosts for every container, or null to leave the image's own.</summary>
    public string? Hosts { get; init; }

    /// <summary>Kernel parameters by dotted or slashed name.</summary>
    public IReadOnlyDictionary<string, string> Sysctls { get; init => field = value ?? new Dictionary<string, string>(); } = new Dictionary<string, string>();

    /// <summary>SCSI serial of the pod's writable ext4 scratch disk, or null when overlays live in memory.</summary>
    public string? ScratchDisk { get; init; }

    /// <summary>virtio-9p mount tag of the shared directory, or null when there is none.</summary>
    public string? ShareTag { get; init; }

    /// <summary>Size of the pod's shared /dev/shm in bytes; 0 means 64 MiB.</summary>
    public long ShmBytes { get; init; }

    /// <summary>The user namespace that all containers of the pod live in, or null for the guest's own.</summary>
    public GuestUserNamespace? UserNamespace { get; init; }

    /// <summary>
    /// Nobody's: all of it is applied, then the network is taken back, and the guest goes on waiting for the personality of a pod. What stays is the
    /// mounted scratch disk, which is that guest's alone.
    /// </summary>
    public bool Rehearsal { get; init; }
}

/// <summary>What the ids of a user namespace are outside of it.</summary>
/// <param name="Uids">User ids.</param>
/// <param name="Gids">Group ids.</param>
public sealed record GuestUserNamespace(IdRange Uids, IdRange Gids);

/// <summary>Ids 0 to Length - 1 of a user namespace are First to First + Length - 1 outside.</summary>
/// <param name="First">What 0 is outside.</param>
/// <param name="Length">How many there are, at least 1.</param>
public sealed record IdRange(uint First, uint Length);

/// <summary>One interface of the guest.</summary>
/// <param name="Name">Name it gets in the guest, e.g. <c>eth0</c>.</param>
/// <param name="Mac">The MAC QEMU gave the device, <c>02:…</c>; the guest finds the interface by it, or, in a clone, sets it.</param>
/// <param name="Mtu">MTU in bytes.</param>
/// <param name="Addresses">Addresses with prefix, <c>10.88.0.5/16</c> or <c>fd00::5/64</c>.</param>
public sealed record GuestInterface(string Name, string Mac, int Mtu, IReadOnlyList<string> Addresses);

/// <summary>One route of the guest.</summary>
/// <param name="Destination">With prefix, <c>0.0.0.0/0</c> for the default route.</param>
/// <param name="Gateway">Next hop, or null for a link route.</param>
/// <param name="Interface">Interface name in the guest.</param>
/// <param name="Mtu">Route MTU in bytes, or 0.</param>
public sealed record GuestRoute(string Destination, string? Gateway, string Interface, int Mtu = 0);

/// <summary>Opens a TCP connection inside the guest.</summary>
/// <param name="Host">Address or name as seen in the guest; empty means localhost, IPv4 first, then IPv6.</param>
/// <param name="Port">1 to 65535.</param>
public sealed record DialRequest(string Host, int Port);
