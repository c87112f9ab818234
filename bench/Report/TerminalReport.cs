using System.Globalization;
using Spectre.Console;
using Vks.Bench.Host;
using Vks.Bench.Results;

namespace Vks.Bench.Report;

/// <summary>The tables on the terminal.</summary>
internal static class TerminalReport
{
    /// <summary>What a file or a pipe is taken to be wide; a terminal says it itself.</summary>
    private const int PipeWidth = 150;

    /// <summary>Writes them.</summary>
    public static void Write(IAnsiConsole console, BenchResult result)
    {
        if (!console.Profile.Out.IsTerminal)
        {
            console.Profile.Width = PipeWidth;
        }

        foreach (IGrouping<string, SummaryRow> section in result.Summary.GroupBy(static row => row.Section))
        {
            console.Write(Section(section.Key, [.. section]));
        }

        console.Write(GateTable(result));
        MachineDescription machine = result.Machine;
        console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{machine.Cpu}, {machine.Processors} processors, {machine.MemoryMiB} MiB, Linux {machine.Kernel}, guests on {machine.Accelerator.ToUpperInvariant()}, load at begin {machine.Load}"));
        if (machine.IsBusy)
        {
            console.MarkupLineInterpolated($"[yellow]{Words.Busy(machine)}[/]");
        }

        foreach (Prediction prediction in result.Predictions)
        {
            console.MarkupLineInterpolated($"[grey]{prediction.What}: {prediction.Text}[/]");
        }

        if (result.Failures.Count > 0)
        {
            console.MarkupLineInterpolated($"[yellow]{result.Failures.Count} things went wrong:[/]");
            foreach (Failure failure in result.Failures.Take(10))
            {
                console.WriteLine($"  {failure.Section} {failure.Arm}: {failure.What}");
            }
        }
    }

    private static Table Section(string name, IReadOnlyList<SummaryRow> rows)
    {
        Table table = new() { Border = TableBorder.Rounded, Title = new TableTitle(Markup.Escape(name)) };
        table.AddColumn("measure");
        table.AddColumn("arm");
        foreach (string column in new[] { "min", "p50", "p90", "p99", "n" })
        {
            table.AddColumn(new TableColumn(column).RightAligned());
        }

        table.AddColumn("unit");
        foreach (IGrouping<string, SummaryRow> measure in rows.GroupBy(static row => row.Measure))
        {
            string shown = measure.Key;
            foreach (SummaryRow row in measure)
            {
                table.AddRow(
                    Markup.Escape(shown), Markup.Escape(row.Arm), Words.Number(row.Min), $"[bold]{Words.Number(row.P50)}[/]", Words.Number(row.P90), Words.Number(row.P99),
                    row.Count.ToString(CultureInfo.InvariantCulture), Markup.Escape(row.Unit));
                shown = "";
            }
        }

        return table;
    }

    private static Table GateTable(BenchResult result)
    {
        string title = result.Plan.IsQuick ? "gates (a quick run: only counts are binding)" : result.Plan.IsPartial ? "gates (a partial run: only counts are binding)" : "gates";
        Table table = new() { Border = TableBorder.Rounded, Title = new TableTitle(title) };
        table.AddColumn("what");
        foreach (string column in new[] { "ours", "against", "value", "limit" })
        {
            table.AddColumn(new TableColumn(column).RightAligned());
        }

        table.AddColumn("verdict");
        foreach (Gate gate in result.Gates)
        {
            string colour = gate.Verdict switch { GateVerdict.Passed => "green", GateVerdict.Failed => "red", _ => "yellow" };
            table.AddRow(
                Markup.Escape(gate.Name), Markup.Escape($"{Words.Value(gate.Ours, gate.Unit)} ({gate.OurArm})"),
                gate.Peer.Length == 0 ? "" : Markup.Escape($"{Words.Value(gate.PeerValue, gate.Unit)} ({gate.Peer})"),
                gate.IsCount ? Words.Value(gate.Value, "count") : Words.Number(gate.Value), Words.Limit(gate), $"[{colour}]{Words.Verdict(gate.Verdict)}[/]");
        }

        return table;
    }
}
