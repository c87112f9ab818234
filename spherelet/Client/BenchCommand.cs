using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Spectre.Console;

namespace Vks.Spherelet.Client;

/// <summary><c>spherelet bench</c>: takes pods through their life one after another and tells how long each CRI call took.</summary>
internal static partial class BenchCommand
{
    /// <summary>Runs the cycles, prints the table and writes the raw samples.</summary>
    /// <param name="socketPath">The daemon's socket.</param>
    /// <param name="image">Image with a shell.</param>
    /// <param name="cycles">How many pods, 1 to 10000.</param>
    /// <param name="outputPath">Where the raw samples go as JSON, or null.</param>
    /// <param name="cancellationToken">Ends the run; the pod under way is removed.</param>
    public static async Task RunAsync(string socketPath, string image, int cycles, string? outputPath, CancellationToken cancellationToken)
    {
        using CriClient client = new(socketPath);
        Dictionary<string, List<double>> samples = new(StringComparer.Ordinal);
        await new DemoPod(client, image, "bench-pull").PullAsync(cancellationToken);
        await AnsiConsole.Progress().StartAsync(async progress =>
        {
            ProgressTask task = progress.AddTask("pods", maxValue: cycles);
            for (var cycle = 0; cycle < cycles; cycle++)
            {
                DemoPod pod = new(client, image, string.Create(CultureInfo.InvariantCulture, $"bench-{cycle}"));
                try
                {
                    await pod.RunAsync(["sh", "-c", "sleep 1000"], cancellationToken);
                    await pod.ExecAsync(["true"], cancellationToken);
                }
                finally
                {
                    await pod.RemoveAsync(CancellationToken.None);
                }

                foreach ((string stage, TimeSpan elapsed) in pod.Stages)
                {
                    (samples.TryGetValue(stage, out List<double>? list) ? list : samples[stage] = []).Add(elapsed.TotalMilliseconds);
                }

                task.Increment(1);
            }
        });

        Table table = new() { Border = TableBorder.Rounded };
        table.AddColumns("call (ms)", "p50", "p90", "p99", "min", "n");
        foreach ((string stage, List<double> values) in samples)
        {
            double[] sorted = [.. values.Order()];
            table.AddRow(stage, Text(Percentile(sorted, 0.5)), Text(Percentile(sorted, 0.9)), Text(Percentile(sorted, 0.99)), Text(sorted[0]),
                sorted.Length.ToString(CultureInfo.InvariantCulture));
        }

        AnsiConsole.Write(table);
        if (outputPath is not null)
        {
            await File.WriteAllTextAsync(outputPath, JsonSerializer.Serialize(samples, BenchJson.Default.DictionaryStringListDouble), cancellationToken);
        }
    }

    /// <summary>Nearest-rank percentile: the smallest sample that at least that share of all samples does not exceed.</summary>
    /// <param name="sorted">Samples in rising order, at least one.</param>
    /// <param name="share">Above 0, at most 1.</param>
    internal static double Percentile(IReadOnlyList<double> sorted, double share) =>
        sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Count) - 1, 0, sorted.Count - 1)];

    private static string Text(double milliseconds) => milliseconds.ToString("F1", CultureInfo.InvariantCulture);

    [JsonSerializable(typeof(Dictionary<string, List<double>>))]
    private sealed partial class BenchJson : JsonSerializerContext;
}
