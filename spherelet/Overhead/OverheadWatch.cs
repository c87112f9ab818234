using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Overhead;

/// <summary>Measures from time to time what pods cost, and tells the node's cluster when that has changed.</summary>
/// <param name="reader">Looks at pods.</param>
/// <param name="node">Whom to tell, or null.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Log.</param>
internal sealed partial class OverheadWatch(PodCostReader reader, NodeNotes? node, TimeProvider time, ILogger<OverheadWatch> logger) : BackgroundService
{
    /// <summary>Between two looks. Each wakes every guest for a moment, as a kubelet does six times as often.</summary>
    private static readonly TimeSpan s_period = TimeSpan.FromMinutes(1);

    /// <summary>The same until something is known: until then a cluster counts with a default.</summary>
    private static readonly TimeSpan s_firstPeriod = TimeSpan.FromSeconds(15);

    private readonly OverheadEstimate _estimate = new();
    private HashSet<string> _seen = [];
    private PodOverhead? _told;
    private bool _silenceTold;

    /// <summary>What a pod costs on this host; null before the first that has run for a while.</summary>
    public PodOverhead? Now => _estimate.Now;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                await Task.Delay(Now is null ? s_firstPeriod : s_period, time, stoppingToken);
                await LookAsync(stoppingToken);
                await TellAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The daemon ends.
        }
    }

    /// <summary>A pod that has just started is still being filled: its first look only notes that it is there.</summary>
    private async Task LookAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<PodCost> costs = await reader.ReadAllAsync(cancellationToken);
        List<OverheadSample> settled = [];
        foreach (PodCost cost in costs)
        {
            if (_seen.Contains(cost.Sandbox.Id) && cost is { OverheadBytes: { } bytes, Reading: { } reading })
            {
                settled.Add(new(cost.Sandbox.Id, bytes, cost.Host.CpuTime, TimeSpan.FromMicroseconds(reading.Pod.CpuNanoseconds / 1000)));
            }
        }

        _seen = [.. costs.Select(static cost => cost.Sandbox.Id)];
        _estimate.Add(time.GetUtcNow(), settled);
    }

    private async Task TellAsync(CancellationToken cancellationToken)
    {
        if (node is null || _estimate.Now is not { } now || now == _told)
        {
            return;
        }

        try
        {
            await node.TellAsync(now, cancellationToken);
            (_told, _silenceTold) = (now, false);
            Told(node.Name, now.MemoryBytes >> 20, now.CpuMillis);
        }
        catch (NodeNotesException cause)
        {
            if (!_silenceTold)
            {
                _silenceTold = true;
                NotTold(cause.Message);
            }
        }
    }

    [LoggerMessage(3900, LogLevel.Information, "Node {Node} says now that a pod costs {MemoryMiB} MiB and {CpuMillis} thousandths of a CPU beside what runs in it")]
    private partial void Told(string node, long memoryMiB, long cpuMillis);

    [LoggerMessage(3901, LogLevel.Warning, "The cluster does not know what a pod costs here; tried again each minute: {Cause}")]
    private partial void NotTold(string cause);
}
