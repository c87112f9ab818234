namespace Vks.Runtime.Machines;

/// <summary>A machine at one moment. Never changes; a newer one has a higher generation.</summary>
public sealed record MachineSnapshot
{
    /// <summary>Its state.</summary>
    public required MachineState State { get; init; }

    /// <summary>Counts up by one with each change.</summary>
    public required long Generation { get; init; }

    /// <summary>When it got into this state (host wall clock).</summary>
    public required DateTimeOffset Since { get; init; }

    /// <summary>QEMU's process id, or 0 when none runs.</summary>
    public int QemuPid { get; init; }

    /// <summary>Why it stopped, when it was not asked to: QEMU's exit, last console lines.</summary>
    public string? Reason { get; init; }

    /// <summary>The guest kernel's release, known from Running on.</summary>
    public string? KernelRelease { get; init; }

    /// <summary>Name of the template it was started from; null: its guest booted.</summary>
    public string? Template { get; init; }

    /// <summary>How long each stage of the start took, in order.</summary>
    public IReadOnlyList<StageTime> Stages { get; init; } = [];
}

/// <summary>One stage of a start.</summary>
/// <param name="Name">
/// <c>files</c>, <c>qemu</c> (exec until the monitor answers), then for a boot <c>kernel</c>, <c>agent</c>, <c>channel</c>, or for a clone
/// <c>restore</c> (until the guest runs), <c>agent</c> (until it answers).
/// </param>
/// <param name="Elapsed">How long it took.</param>
public sealed record StageTime(string Name, TimeSpan Elapsed);
