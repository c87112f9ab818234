using Vks.Runtime.Templates;

namespace Vks.Spherelet.Pods;

/// <summary>A pool at one moment, and what it has done since the daemon started.</summary>
internal sealed record PoolReport
{
    /// <summary>Host memory it may take, bytes; 0: there is no pool.</summary>
    public required long BudgetBytes { get; init; }

    /// <summary>Machines by shape.</summary>
    public required IReadOnlyList<PoolShelf> Shelves { get; init; }

    /// <summary>Pods that found a machine ready.</summary>
    public required long Hits { get; init; }

    /// <summary>Pods that could have and did not: their machine was started for them.</summary>
    public required long Misses { get; init; }

    /// <summary>Machines made ready.</summary>
    public required long Refills { get; init; }

    /// <summary>Tries to make one ready that failed, and ready ones that failed the pod that took them.</summary>
    public required long Failures { get; init; }

    /// <summary>Ready machines that were ended because nobody came, or that ended by themselves.</summary>
    public required long Dropped { get; init; }

    /// <summary>What the latest refills took on average.</summary>
    public required TimeSpan RefillTime { get; init; }

    /// <summary>Host memory that all ready machines took when they were ready, bytes.</summary>
    public long Bytes => Shelves.Sum(static shelf => shelf.Bytes);

    /// <summary>The shape in words.</summary>
    public static string Describe(TemplateShape shape) => FormattableString.Invariant($"{shape.VcpuCount} vCPU, {shape.MemoryMiB} MiB");
}
