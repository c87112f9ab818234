using System.Globalization;
using System.Net;
using System.Text;
using Vks.Bench.Results;

namespace Vks.Bench.Report;

/// <summary>The report: one file that opens from disk, with no script and nothing to load.</summary>
internal static class HtmlReport
{
    /// <summary>Writes it.</summary>
    public static async Task WriteAsync(BenchResult result, string path, CancellationToken cancellationToken)
    {
        StringBuilder page = new();
        page.Append("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>vks bench</title><style>")
            .Append(Style).Append("</style></head><body><main>");
        Head(page, result);
        GateTable(page, result);
        foreach (Chart chart in Charts.Draw(result))
        {
            page.Append(CultureInfo.InvariantCulture, $"<section class=\"chart\"><h2>{Text(chart.Title)}</h2><p>{Text(chart.Note)}</p>{chart.Svg}</section>");
        }

        Predictions(page, result);
        Tables(page, result);
        Failures(page, result);
        Machine(page, result);
        page.Append("</main></body></html>\n");
        await File.WriteAllTextAsync(path, page.ToString(), cancellationToken);
    }

    private static void Head(StringBuilder page, BenchResult result)
    {
        int passed = result.Gates.Count(static gate => gate.Verdict == GateVerdict.Passed);
        string kind = result.Plan.IsQuick ? "Quick run: too few samples to judge time and memory; only counts are binding."
            : result.Plan.IsPartial ? "Partial run: only counts are binding."
            : "Full run: every gate is binding.";
        page.Append(CultureInfo.InvariantCulture, $"""
            <header><h1>vks bench</h1>
            <p class="lead">Kubernetes pods as microVMs, against containers and stock kernels, on one machine and in one run.</p>
            <p class="facts">{result.Begun:yyyy-MM-dd HH:mm} UTC · {result.DurationSeconds:F0} s · {Text(result.Machine.Cpu)} · {result.Machine.Processors} processors ·
            guests on <b>{result.Machine.Accelerator.ToUpperInvariant()}</b> · Linux {Text(result.Machine.Kernel)}</p>
            <p class="facts">{passed} of {result.Gates.Count} gates passed. {kind}</p>
            """);
        if (result.Machine.IsBusy)
        {
            page.Append(CultureInfo.InvariantCulture, $"<p class=\"busy\">{Text(Words.Busy(result.Machine))}</p>");
        }

        page.Append("<p class=\"arms\">");
        foreach ((string name, string title) in result.Arms)
        {
            page.Append(CultureInfo.InvariantCulture, $"<span><i style=\"background:{Palette.Css(name)}\"></i><b>{Text(name)}</b> {Text(title)}</span>");
        }

        page.Append("</p></header>");
    }

    private static void GateTable(StringBuilder page, BenchResult result)
    {
        page.Append("<section><h2>Gates</h2><table><thead><tr><th>what</th><th class=\"n\">ours</th><th class=\"n\">against</th><th class=\"n\">value</th><th class=\"n\">limit</th><th></th></tr></thead><tbody>");
        foreach (Gate gate in result.Gates)
        {
            string peer = gate.Peer.Length == 0 ? "" : $"{With(gate.PeerValue, gate)}<small>{Text(gate.Peer)}</small>";
            page.Append(CultureInfo.InvariantCulture, $"""
                <tr><td>{Text(gate.Name)}</td><td class="n">{With(gate.Ours, gate)}<small>{Text(gate.OurArm)}</small></td><td class="n">{peer}</td>
                <td class="n"><b>{(gate.IsCount ? Words.Value(gate.Value, "count") : Words.Number(gate.Value))}</b></td><td class="n">{Text(Words.Limit(gate))}</td>
                <td><span class="verdict {gate.Verdict}">{Words.Verdict(gate.Verdict)}</span></td></tr>
                """);
        }

        page.Append("</tbody></table></section>");
    }

    private static string With(double? value, Gate gate) => value is null || gate.Unit == "count" ? Words.Value(value, gate.Unit) : $"{Words.Number(value)} {Text(gate.Unit)}";

    private static void Predictions(StringBuilder page, BenchResult result)
    {
        if (result.Predictions.Count == 0)
        {
            return;
        }

        page.Append("<section class=\"predicted\"><h2>Predictions for KVM</h2><p>This machine runs guests in software. Nothing below was measured here.</p><ul>");
        foreach (Prediction prediction in result.Predictions)
        {
            page.Append(CultureInfo.InvariantCulture, $"<li>{Text(prediction.What)}: {Text(prediction.Text)}</li>");
        }

        page.Append("</ul></section>");
    }

    private static void Tables(StringBuilder page, BenchResult result)
    {
        foreach (IGrouping<string, SummaryRow> section in result.Summary.GroupBy(static row => row.Section))
        {
            page.Append(CultureInfo.InvariantCulture, $"<section><details><summary>All numbers: {Text(section.Key)}</summary><table><thead><tr><th>measure</th><th>arm</th>");
            page.Append("<th class=\"n\">min</th><th class=\"n\">p50</th><th class=\"n\">p90</th><th class=\"n\">p99</th><th class=\"n\">n</th><th>unit</th></tr></thead><tbody>");
            string last = "";
            foreach (SummaryRow row in section.OrderBy(row => section.TakeWhile(other => other.Measure != row.Measure).Count()))
            {
                page.Append(CultureInfo.InvariantCulture, $"""
                    <tr{(row.Measure == last ? "" : " class=\"first\"")}><td>{(row.Measure == last ? "" : Text(row.Measure))}</td>
                    <td><i style="background:{Palette.Css(row.Arm)}"></i>{Text(row.Arm)}</td><td class="n">{Words.Number(row.Min)}</td><td class="n"><b>{Words.Number(row.P50)}</b></td>
                    <td class="n">{Words.Number(row.P90)}</td><td class="n">{Words.Number(row.P99)}</td><td class="n">{row.Count}</td><td>{Text(row.Unit)}</td></tr>
                    """);
                last = row.Measure;
            }

            page.Append("</tbody></table></details></section>");
        }
    }

    private static void Failures(StringBuilder page, BenchResult result)
    {
        if (result.Failures.Count == 0)
        {
            return;
        }

        page.Append("<section><h2>What went wrong</h2><ul class=\"failures\">");
        foreach (IGrouping<(string Section, string Arm), Failure> group in result.Failures.GroupBy(static failure => (failure.Section, failure.Arm)))
        {
            page.Append(CultureInfo.InvariantCulture, $"<li><b>{Text(group.Key.Section)} {Text(group.Key.Arm)}</b>, {group.Count()} times; the first: {Text(group.First().What)}</li>");
        }

        page.Append("</ul></section>");
    }

    private static void Machine(StringBuilder page, BenchResult result)
    {
        page.Append("<section><h2>The machine</h2><table><tbody>");
        foreach ((string name, string value) in new (string, string)[]
        {
            ("processor", result.Machine.Cpu), ("processors", result.Machine.Processors.ToString(CultureInfo.InvariantCulture)),
            ("memory", string.Create(CultureInfo.InvariantCulture, $"{result.Machine.MemoryMiB} MiB")), ("system", result.Machine.System), ("kernel", result.Machine.Kernel),
            ("accelerator", result.Machine.Accelerator), ("load when the run began", result.Machine.Load),
        }.Concat(result.Machine.Versions.Select(static version => (version.Key, version.Value))))
        {
            page.Append(CultureInfo.InvariantCulture, $"<tr><td>{Text(name)}</td><td>{Text(value)}</td></tr>");
        }

        page.Append("</tbody></table></section>");
    }

    private static string Text(string text) => WebUtility.HtmlEncode(text);

    private const string Style = """
        :root { --ink: #1f2937; --soft: #6b7280; --line: #e5e7eb; --paper: #fff; --back: #f8fafc; }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.55 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
        main { max-width: 1000px; margin: 0 auto; padding: 40px 24px 80px; }
        h1 { font-size: 34px; margin: 0; letter-spacing: -.02em; }
        h2 { font-size: 18px; margin: 0 0 4px; }
        .lead { font-size: 18px; margin: 4px 0 14px; }
        .facts { color: var(--soft); margin: 2px 0; }
        .arms { margin: 14px 0 0; display: flex; flex-wrap: wrap; gap: 6px 22px; }
        i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 7px; }
        section { background: var(--paper); border: 1px solid var(--line); border-radius: 12px; padding: 22px 26px; margin-top: 22px; overflow-x: auto; }
        section > p { margin: 0 0 8px; color: var(--soft); font-size: 14px; }
        svg { width: 100%; height: auto; display: block; }
        svg text { font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
        table { border-collapse: collapse; width: 100%; font-size: 14px; }
        th { text-align: left; color: var(--soft); font-weight: 500; border-bottom: 1px solid var(--line); padding: 6px 10px 6px 0; }
        td { border-bottom: 1px solid #f1f5f9; padding: 7px 10px 7px 0; vertical-align: top; }
        tr.first td { border-top: 1px solid var(--line); }
        .n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
        small { display: block; color: var(--soft); font-size: 12px; }
        .verdict { border-radius: 999px; padding: 2px 11px; font-size: 12.5px; font-weight: 600; white-space: nowrap; }
        .Passed { background: #dcfce7; color: #166534; } .Failed { background: #fee2e2; color: #991b1b; } .NotMeasured { background: #fef3c7; color: #92400e; }
        .busy { background: #fef3c7; border-radius: 8px; padding: 8px 14px; margin: 14px 0 0; }
        .predicted { border-style: dashed; } summary { cursor: pointer; font-weight: 600; } details table { margin-top: 12px; }
        .failures { padding-left: 18px; font-size: 14px; overflow-wrap: anywhere; }
        """;
}
