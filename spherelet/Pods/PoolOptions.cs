namespace Vks.Spherelet.Pods;

/// <summary>Settings of the pool of machines that run before there are pods for them.</summary>
internal sealed record PoolOptions
{
    /// <summary>Host memory that all of them may take together, in MiB; 0: no pool. Default 0.</summary>
    public int MemoryMiB { get; init; }

    /// <summary>How long the arrival of a pod keeps machines of its shape ready. Default 10 min.</summary>
    public TimeSpan Keep { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>The disk that machines are tried on before they are ready: <c>rehearsal.sqfs</c> of the guest's files.</summary>
    public string RehearsalDisk { get; init; } = "/usr/lib/vks/guest/rehearsal.sqfs";

    /// <summary>How long one machine may take to be made ready, from its namespace to the end of its rehearsal. Default 2 min: it has little weight.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>
    /// How long after a pod came no machine is made: the pod's own start would be slower beside it, by a third on a host of two CPUs. Pods that come
    /// meanwhile do not make it longer. Default 500 ms, about what the calls of a pod's start take.
    /// </summary>
    public TimeSpan Courtesy { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>How long the pool rests when no machine could be made ready. Default 30 s.</summary>
    public TimeSpan Rest { get; init; } = TimeSpan.FromSeconds(30);
}
