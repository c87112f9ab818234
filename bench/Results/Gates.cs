namespace Vks.Bench.Results;

/// <summary>The promises of this project, held against a run's series. Pure.</summary>
/// <remarks>All ratios are of values from one run. A gate whose arm did not run is not measured, which a full run takes as a failure.</remarks>
internal static class Gates
{
    /// <summary>Judges them all.</summary>
    /// <param name="series">Everything measured.</param>
    /// <param name="plan">How much was to be measured.</param>
    public static IReadOnlyList<Gate> Judge(IReadOnlyList<Series> series, BenchPlan plan)
    {
        SeriesTable table = new(series);

        // What users get: clones where they are, and otherwise every pod boots.
        string ours = table.Has(Measures.Serial, Measures.Sum, ArmNames.Clone) ? ArmNames.Clone : ArmNames.Cold;
        return
        [
            Ratio("cold boot, exec to PID 1, against the stock kernel on -M pc", 0.20, table.P50(Measures.Boot, Measures.ToInit, ArmNames.Ours), ArmNames.Ours,
                table.P50(Measures.Boot, Measures.ToInit, ArmNames.StockPc), ArmNames.StockPc),
            Ratio("clone, exec to agent, against our cold boot", 0.08, table.P50(Measures.Serial, Measures.ToAgent, ArmNames.Clone), ArmNames.Clone,
                table.P50(Measures.Serial, Measures.ToAgent, ArmNames.Cold), ArmNames.Cold),
            .. Starts(ours, table),
            .. table.Has(Measures.Serial, Measures.Sum, ArmNames.Pool) ? Starts(ArmNames.Pool, table) : [],
            Memory(table, ours, plan),
            Growth(table, ours, plan),
            Ratio("daemon RSS with 20 pods, shims included", 1.0, table.P50(Measures.Idle, Measures.DaemonMemory(20), ours), ours,
                table.P50(Measures.Idle, Measures.DaemonMemory(20), ArmNames.Containerd), ArmNames.Containerd, "MiB"),
            Boots(table, plan),
            Leaks(table, ours, plan),
        ];
    }

    private static Gate[] Starts(string ours, SeriesTable table) =>
    [
        Against("RunPodSandbox + CreateContainer + StartContainer", 1.0, Measures.Sum, ours, table),
        Against("pod to first output byte", 1.2, Measures.FirstByte, ours, table),
        Against("ExecSync true, the first in a pod", 1.0, Measures.Exec, ours, table),
        Against("ExecSync true, after the first", 1.0, Measures.ExecAgain, ours, table),
        Ratio("p99 against p50 of a pod start, one after another", 2, table.Percentile(Measures.Serial, Measures.Sum, ours, 0.99), ours,
            table.P50(Measures.Serial, Measures.Sum, ours), ours + " p50"),
    ];

    private static Gate Against(string name, double limit, string measure, string ours, SeriesTable table) => Ratio(
        name, limit, table.P50(Measures.Serial, measure, ours), ours, table.P50(Measures.Serial, measure, ArmNames.Containerd), ArmNames.Containerd);

    private static Gate Ratio(string name, double limit, double? ours, string arm, double? peer, string peerName, string unit = "ms")
    {
        double? value = ours / peer;
        return new Gate
        {
            Name = name, OurArm = arm, Ours = ours, Peer = peerName, PeerValue = peer, Unit = unit, Value = value, Limit = limit, Verdict = Verdict(value, limit),
        };
    }

    private static Gate Memory(SeriesTable table, string ours, BenchPlan plan)
    {
        int pods = plan.IdlePods[^1];
        double? cost = table.P50(Measures.Idle, Measures.AvailablePerPod(pods), ours);
        double? own = table.P50(Measures.Idle, Measures.OwnMemory, ours);
        return new Gate
        {
            Name = FormattableString.Invariant($"MemAvailable per idle pod ({pods} pods) beyond what its processes use, MiB"),
            OurArm = ours, Ours = cost, Peer = "its processes", PeerValue = own, Unit = "MiB", Value = cost - own, Limit = 12, Verdict = Verdict(cost - own, 12),
        };
    }

    private static Gate Growth(SeriesTable table, string ours, BenchPlan plan)
    {
        IReadOnlyList<double>? starts = table.Samples(Measures.Idle, Measures.StartBeside, ours);
        bool enough = starts is not null && starts.Count >= plan.IdlePods[^1] && starts.Count >= 50;
        double? growth = enough ? Statistics.Growth(starts!) : null;
        return new Gate
        {
            Name = "growth of a pod's start from pod 1 to pod 50", OurArm = ours, Ours = starts?[^1], Peer = "pod 1", PeerValue = starts?[0], Unit = "ms",
            Value = growth, Limit = 0.10, Verdict = Verdict(growth, 0.10),
        };
    }

    private static Gate Boots(SeriesTable table, BenchPlan plan)
    {
        IReadOnlyList<double>? boots = table.Samples(Measures.Load, Measures.Succeeded, ArmNames.Cold);
        double? succeeded = boots is null || boots.Count < plan.LoadBoots ? null : boots.Sum();
        return new Gate
        {
            Name = FormattableString.Invariant($"boots that succeed beside four busy loops, of {plan.LoadBoots}"), OurArm = ArmNames.Cold, Ours = succeeded, Unit = "count",
            Value = succeeded, Limit = plan.LoadBoots, AtLeast = true, IsCount = true,
            Verdict = succeeded is null ? GateVerdict.NotMeasured : succeeded >= plan.LoadBoots ? GateVerdict.Passed : GateVerdict.Failed,
        };
    }

    private static Gate Leaks(SeriesTable table, string ours, BenchPlan plan)
    {
        double? left = table.Samples(Measures.Leak, Measures.Left, ours)?[^1];
        return new Gate
        {
            Name = FormattableString.Invariant($"things left after {plan.LeakCycles} cycles"), OurArm = ours, Ours = left, Unit = "count", Value = left, Limit = 0, IsCount = true,
            Verdict = Verdict(left, 0),
        };
    }

    private static GateVerdict Verdict(double? value, double limit) =>
        value is not { } number || !double.IsFinite(number) ? GateVerdict.NotMeasured : number <= limit ? GateVerdict.Passed : GateVerdict.Failed;
}
