using Vks.Bench.Arms;
using Vks.Bench.Results;

namespace Vks.Bench.Sections;

/// <summary>What sections work with.</summary>
internal sealed record BenchContext
{
    /// <summary>How much to measure.</summary>
    public required BenchPlan Plan { get; init; }

    /// <summary>The container runtimes, running.</summary>
    public required IReadOnlyList<Arm> Arms { get; init; }

    /// <summary>The images.</summary>
    public required BenchRegistry Registry { get; init; }

    /// <summary>Parts of this project.</summary>
    public required SphereletFiles Files { get; init; }

    /// <summary>Debian's kernel, or null when there is none.</summary>
    public required string? StockKernel { get; init; }

    /// <summary>Script that makes a cluster of nodes on this machine, or null.</summary>
    public required string? LabScript { get; init; }

    /// <summary>Whether guests run on KVM.</summary>
    public required bool IsKvm { get; init; }

    /// <summary>Folder for what sections need.</summary>
    public required string Directory { get; init; }

    /// <summary>Takes samples in.</summary>
    public required SampleRecorder Recorder { get; init; }

    /// <summary>Moves the progress bar on by one.</summary>
    public required Action Step { get; init; }

    /// <summary>Those whose pods differ once they run: a machine that was started before its pod came is a clone like others.</summary>
    public IReadOnlyList<Arm> KindsOfPods => [.. Arms.Where(static arm => arm is not SphereletArm { HasPool: true })];

    /// <summary>The arms in an order that turns from round to round, so that none always comes first.</summary>
    public IEnumerable<Arm> InTurn(int round) => Enumerable.Range(0, Arms.Count).Select(index => Arms[(index + round) % Arms.Count]);
}
