using Vks.Bench.Results;

namespace Vks.Bench.Report;

/// <summary>The pictures of a result; each stands only where its series are.</summary>
internal static class Charts
{
    private static readonly string[] s_arms = [ArmNames.Pool, ArmNames.Clone, ArmNames.Before, ArmNames.Cold, ArmNames.Containerd];
    private static readonly string[] s_boots = [ArmNames.Ours, ArmNames.OursTiny, ArmNames.StockMicrovm, ArmNames.StockQ35, ArmNames.StockPc];
    private static readonly string[] s_calls = ["RunPodSandbox", "CreateContainer", "StartContainer"];

    /// <summary>Draws them all.</summary>
    public static IReadOnlyList<Chart> Draw(BenchResult result)
    {
        SeriesTable table = new(result.Series);
        List<Chart> charts = [];
        Add(Calls(table), "Starting a pod, call by call", "p50 of each CRI call, one pod after another, arms in turn. Shorter is better.");
        Add(Spread(table, Measures.FirstByte), "From the first call to the first byte of output", "Every pod is a point, the line is the median. Watched in the log file by inotify.");
        Add(Bars(table, Measures.Boot, Measures.ToInit, s_boots, "ms"), "From exec of QEMU to PID 1",
            "p50 of bare boots by the host's clock. “ours” unpacks a pod's whole initial file system, the others a single file.");
        Add(Stages(table), "Where a machine's start goes", "p50 of each stage, as the daemon measures them.");
        Add(Spread(table, Measures.Exec), "ExecSync of true, the first in a pod", "Every call is a point, the line is the median.");
        Add(Spread(table, Measures.ExecAgain), "ExecSync of true, after the first", "Every call is a point, the line is the median.");
        Add(Beside(table), "Starting a pod beside running ones", "The three calls of the n-th pod while all pods before it stay.");
        Add(Largest(table, Measures.Idle, "MemAvailable per pod", "MiB"), "Memory a pod costs the host", "Fall of MemAvailable for each idle pod, at the largest number of pods.");
        Add(Largest(table, Measures.Idle, "daemon RSS", "MiB"), "Memory of the runtime itself", "Resident memory of daemon and shims at the largest number of pods.");
        Add(Largest(table, Measures.Burst, "pods a second", "pods/s"), "Pods a second, many at once", "At the largest number at once. Longer is better.");
        Add(Storage(table), "Reading and writing", "p50; writing ends with fsync, reading goes past the reader's page cache. Longer is better.");
        return charts;

        void Add(string? svg, string title, string note)
        {
            if (svg is not null)
            {
                charts.Add(new Chart(title, note, svg));
            }
        }
    }

    private static string? Calls(SeriesTable table)
    {
        List<BarRow> rows = [.. s_arms.Where(arm => table.Has(Measures.Serial, Measures.Sum, arm))
            .Select(arm => new BarRow(arm, [.. s_calls.Select((call, index) => (table.P50(Measures.Serial, call, arm) ?? 0, Palette.Part(index)))]))];
        return rows.Count == 0 ? null : BarChart.Draw(rows, "ms", s_calls);
    }

    private static string? Spread(SeriesTable table, string measure)
    {
        List<(string Arm, IReadOnlyList<double> Samples, double Median)> rows = [.. s_arms.Where(arm => table.Has(Measures.Serial, measure, arm))
            .Select(arm => (arm, table.Samples(Measures.Serial, measure, arm)!, table.P50(Measures.Serial, measure, arm)!.Value))];
        return rows.Count == 0 ? null : SpreadChart.Draw(rows, "ms");
    }

    private static string? Bars(SeriesTable table, string section, string measure, IEnumerable<string> arms, string unit)
    {
        List<BarRow> rows = [.. arms.Where(arm => table.Has(section, measure, arm))
            .Select(arm => new BarRow(arm, [(table.P50(section, measure, arm)!.Value, Palette.Arm(arm))]))];
        return rows.Count == 0 ? null : BarChart.Draw(rows, unit, []);
    }

    private static string? Stages(SeriesTable table)
    {
        string[] arms = [.. s_arms.Where(arm => table.Has(Measures.Serial, Measures.ToAgent, arm))];
        string[] stages = [.. table.MeasuresOf(Measures.Serial).Where(static measure => measure.StartsWith("stage: ", StringComparison.Ordinal))];
        return arms.Length == 0
            ? null
            : BarChart.Draw(
                [.. arms.Select(arm => new BarRow(arm, [.. stages.Select((stage, index) => (table.P50(Measures.Serial, stage, arm) ?? 0, Palette.Part(index)))]))],
                "ms",
                [.. stages.Select(static stage => stage["stage: ".Length..])]);
    }

    private static string? Beside(SeriesTable table)
    {
        List<(string Arm, IReadOnlyList<double> Samples)> lines = [.. s_arms.Select(arm => (arm, table.Samples(Measures.Idle, Measures.StartBeside, arm)))
            .Where(static line => line.Item2 is { Count: > 1 }).Select(static line => (line.arm, line.Item2!))];
        return lines.Count == 0 ? null : LineChart.Draw(lines, "pod", "ms");
    }

    /// <summary>Of measures that differ by a number of pods, the one with most.</summary>
    private static string? Largest(SeriesTable table, string section, string begin, string unit)
    {
        string? measure = table.MeasuresOf(section).LastOrDefault(measure => measure.StartsWith(begin, StringComparison.Ordinal));
        return measure is null ? null : Bars(table, section, measure, s_arms, unit);
    }

    private static string? Storage(SeriesTable table)
    {
        List<BarRow> rows = [.. table.MeasuresOf(Measures.Storage).SelectMany(measure => new[] { ArmNames.Host }.Concat(s_arms)
            .Where(arm => table.Has(Measures.Storage, measure, arm))
            .Select(arm => new BarRow($"{measure}, {arm}", [(table.P50(Measures.Storage, measure, arm)!.Value, Palette.Arm(arm))])))];
        return rows.Count == 0 ? null : BarChart.Draw(rows, "MiB/s", []);
    }
}
