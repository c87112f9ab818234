namespace Vks.Spherelet.Machines;

/// <summary>What a machine that is kept running is to be. Kept on disk as it was asked for.</summary>
internal sealed record KeptMachineSettings
{
    /// <summary>Virtual CPUs, 1 to 64.</summary>
    public required int VcpuCount { get; init; }

    /// <summary>Guest memory in MiB.</summary>
    public required int MemoryMiB { get; init; }

    /// <summary>Size of the persistent disk in MiB, a sparse file.</summary>
    public required int DiskMiB { get; init; }

    /// <summary>The host's link on which it is a neighbour of its own.</summary>
    public required string Link { get; init; }

    /// <summary>Its addresses with prefix, <c>10.0.0.11/24</c>.</summary>
    public required IReadOnlyList<string> Addresses { get; init; }

    /// <summary>Gateway of the default route, or empty.</summary>
    public required string Gateway { get; init; }

    /// <summary>Settings file of its program, whole path in the machine.</summary>
    public required string SettingsFile { get; init; }

    /// <summary>Whether the other says the same.</summary>
    /// <param name="other">The other.</param>
    public bool SaysTheSameAs(KeptMachineSettings other) =>
        this with { Addresses = other.Addresses } == other && Addresses.SequenceEqual(other.Addresses, StringComparer.Ordinal);
}
