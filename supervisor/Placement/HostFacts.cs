namespace Vks.Supervisor.Placement;

/// <summary>What a placement has to know of one host.</summary>
internal sealed record HostFacts
{
    /// <summary>Name of the host and its Node.</summary>
    public required string Name { get; init; }

    /// <summary>Its zone; null: none.</summary>
    public string? Zone { get; init; }

    /// <summary>The zone is for pods.</summary>
    public bool ZoneTakesPods { get; init; } = true;

    /// <summary>Nobody took it out of service.</summary>
    public bool InService { get; init; } = true;

    /// <summary>Thousandths of a CPU that pods may have.</summary>
    public long AllocatableMillis { get; init; }

    /// <summary>Bytes that pods may have.</summary>
    public long AllocatableBytes { get; init; }

    /// <summary>Thousandths of a CPU that its pods have, with what their machines were measured to cost where that is more than they declare.</summary>
    public long UsedMillis { get; init; }

    /// <summary>Bytes that its pods have, with what their machines were measured to cost where that is more than they declare.</summary>
    public long UsedBytes { get; init; }

    /// <summary>Measured cost of one more pod, in thousandths of a CPU.</summary>
    public long OverheadMillis { get; init; }

    /// <summary>Measured cost of one more pod, in bytes.</summary>
    public long OverheadBytes { get; init; }

    /// <summary>Why kube-scheduler's own rules may have taken it out, as far as can be known; null: no reason seen.</summary>
    public string? SchedulerHint { get; init; }
}
