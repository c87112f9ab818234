namespace Vks.Spherelet.Overhead;

/// <summary>
/// Makes one figure for the host of what many pods cost at many moments. Pure but for what it remembers. A scheduler that counts on it must not find
/// the host fuller than it said, so it is the largest of an hour; and it is told to a cluster, so it moves in steps.
/// </summary>
internal sealed class OverheadEstimate
{
    /// <summary>A look counts for so long.</summary>
    public static readonly TimeSpan Memory = TimeSpan.FromHours(1);

    private const long MemoryStepBytes = 8 << 20;
    private const long CpuStepMillis = 5;

    /// <summary>Of the pods of one look, the one that is larger than nine of ten: a single odd pod does not make all others dear.</summary>
    private const double Share = 0.9;

    private readonly Queue<(DateTimeOffset At, long MemoryBytes, double? CpuMillis)> _looks = new();
    private Dictionary<string, OverheadSample> _before = [];
    private DateTimeOffset _beforeAt;

    /// <summary>What is known now; null before the second look at a pod.</summary>
    public PodOverhead? Now { get; private set; }

    /// <summary>Takes in one look at all pods.</summary>
    /// <param name="at">When it was.</param>
    /// <param name="pods">The pods that have settled; with none, what was known stays.</param>
    public void Add(DateTimeOffset at, IReadOnlyCollection<OverheadSample> pods)
    {
        if (pods.Count > 0)
        {
            double elapsed = (at - _beforeAt).TotalSeconds;
            double[] millis = elapsed <= 0 ? [] :
            [
                .. from pod in pods
                   where _before.ContainsKey(pod.PodId)
                   let earlier = _before[pod.PodId]
                   select Math.Max(0, (pod.HostCpu - earlier.HostCpu - (pod.ContainersCpu - earlier.ContainersCpu)).TotalSeconds / elapsed * 1000),
            ];
            _looks.Enqueue((at, (long)High([.. pods.Select(static pod => (double)pod.MemoryBytes)]), millis.Length > 0 ? High(millis) : null));
            while (at - _looks.Peek().At > Memory)
            {
                _looks.Dequeue();
            }

            // CPU time needs two looks at one pod; half a word would be taken for the whole.
            if (_looks.Max(static look => look.CpuMillis) is { } cpuMillis)
            {
                Now = new PodOverhead(RoundUp(_looks.Max(static look => look.MemoryBytes), MemoryStepBytes), RoundUp((long)Math.Ceiling(cpuMillis), CpuStepMillis));
            }
        }

        _before = pods.ToDictionary(static pod => pod.PodId);
        _beforeAt = at;
    }

    private static double High(double[] values)
    {
        Array.Sort(values);
        return values[(int)Math.Ceiling(Share * values.Length) - 1];
    }

    private static long RoundUp(long value, long step) => (value + step - 1) / step * step;
}
