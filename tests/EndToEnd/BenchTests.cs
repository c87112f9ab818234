using System.Text.Json;
using CliWrap;
using CliWrap.Buffered;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>The benchmark as a user runs it, on real parts: containerd, Debian's kernel, our daemon. Without gates on time.</summary>
[Collection(nameof(NodeCollection))]
public sealed class BenchTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(6);

    [Fact]
    public async Task A_quick_run_measures_every_arm_leaves_nothing_and_its_numbers_hold_against_the_raw_samples()
    {
        string output = Directory.CreateTempSubdirectory("vks-test-bench-").FullName;
        string[] before = Traces();

        BufferedCommandResult run = await RunAsync(output);

        Assert.True(run.ExitCode == 0, $"exit code {run.ExitCode}\n{run.StandardOutput}\n{run.StandardError}");
        using JsonDocument result = JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(output, "bench.json"), TestContext.Current.CancellationToken));
        Dictionary<(string, string, string), double[]> raw = Raw(result.RootElement);
        Assert.Contains(("serial", "pod to first output byte", "containerd"), raw);
        Assert.Contains(("serial", "pod to first output byte", "cold"), raw);
        Assert.Contains(("boot", "exec to PID 1", "stock pc"), raw);
        Assert.Contains(("boot", "exec to PID 1", "ours"), raw);
        Assert.Empty(Unequal(result.RootElement, raw));
        string report = await File.ReadAllTextAsync(Path.Combine(output, "report.html"), TestContext.Current.CancellationToken);
        Assert.Contains("<svg", report, StringComparison.Ordinal);
        Assert.All(result.RootElement.GetProperty("gates").EnumerateArray(), gate =>
            Assert.Contains(System.Net.WebUtility.HtmlEncode(gate.GetProperty("name").GetString()!), report, StringComparison.Ordinal));
        Assert.Equal(before, Traces());
        Directory.Delete(output, recursive: true);
    }

    private static async Task<BufferedCommandResult> RunAsync(string output)
    {
        using CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(Deadline);
        string demo = RepositoryRoot.Combine("artifacts", "demo");
        await Cli.Wrap(RepositoryRoot.Combine("images", "build.sh")).WithArguments(["demo", demo]).ExecuteBufferedAsync(deadline.Token);
        BufferedCommandResult kernel = await Cli.Wrap(RepositoryRoot.Combine("bench", "stock-kernel.sh")).ExecuteBufferedAsync(deadline.Token);
        return await Cli.Wrap("dotnet").WithArguments([
                Path.Combine(AppContext.BaseDirectory, "vks-bench.dll"), "--quick", "--samples", "2",
                "--spherelet", SphereletProcess.Binary, "--guest-directory", SphereletProcess.GuestDirectory, "--demo-layout", demo,
                "--stock-kernel", kernel.StandardOutput.Trim(), "--output", output])
            .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(deadline.Token);
    }

    private static Dictionary<(string Section, string Measure, string Arm), double[]> Raw(JsonElement result) =>
        result.GetProperty("series").EnumerateArray().ToDictionary(
            one => (Text(one, "section"), Text(one, "measure"), Text(one, "arm")),
            one => one.GetProperty("samples").EnumerateArray().Select(sample => sample.GetDouble()).ToArray());

    /// <summary>Rows and gates that a calculation of our own from the raw samples does not confirm.</summary>
    private static IEnumerable<string> Unequal(JsonElement result, Dictionary<(string, string, string), double[]> raw)
    {
        foreach (JsonElement row in result.GetProperty("summary").EnumerateArray())
        {
            double[] samples = raw[(Text(row, "section"), Text(row, "measure"), Text(row, "arm"))];
            foreach ((string name, double share) in new[] { ("p50", 0.5), ("p90", 0.9), ("p99", 0.99) })
            {
                double expected = samples.Where(candidate => samples.Count(sample => sample <= candidate) >= share * samples.Length).Min();
                if (row.GetProperty(name).GetDouble() != expected)
                {
                    yield return $"{row} should have {name} {expected}";
                }
            }
        }

        foreach (JsonElement gate in result.GetProperty("gates").EnumerateArray().Where(gate => gate.GetProperty("peerValue").ValueKind == JsonValueKind.Number))
        {
            double? ratio = (Text(gate, "name"), gate.GetProperty("ours").GetDouble(), gate.GetProperty("peerValue").GetDouble()) switch
            {
                (var name, _, _) when name.StartsWith("growth", StringComparison.Ordinal) => null, // Of a line through all samples: StatisticsTests.
                (var name, double ours, double own) when name.StartsWith("MemAvailable", StringComparison.Ordinal) => ours - own,
                (_, double ours, double peer) => ours / peer,
            };
            if (ratio is { } expected && Math.Abs(gate.GetProperty("value").GetDouble() - expected) > 1e-9)
            {
                yield return $"{gate} should have value {expected}";
            }
        }

        foreach ((string gate, string section, string measure) in new[]
        {
            ("RunPodSandbox", "serial", "run + create + start"), ("pod to first", "serial", "pod to first output byte"), ("ExecSync true, the first", "serial", "ExecSync true"),
            ("ExecSync true, after", "serial", "ExecSync true, again"),
        })
        {
            JsonElement[] ours = [.. result.GetProperty("gates").EnumerateArray().Where(one => Text(one, "name").StartsWith(gate, StringComparison.Ordinal))];
            if (!ours.Select(static found => Text(found, "ourArm")).SequenceEqual(["clone", "pool"]))
            {
                yield return $"{gate} is not judged for clone and pool: {string.Join(", ", ours)}";
            }

            foreach (JsonElement found in ours)
            {
                double expected = Middle(raw[(section, measure, Text(found, "ourArm"))]) / Middle(raw[(section, measure, "containerd")]);
                if (Math.Abs(found.GetProperty("value").GetDouble() - expected) > 1e-9)
                {
                    yield return $"{found} should have value {expected}";
                }
            }
        }
    }

    /// <summary>The lower of the two in the middle, when there are two.</summary>
    private static double Middle(double[] samples) => samples.Order().ElementAt((samples.Length - 1) / 2);

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;

    /// <summary>What a run could leave on the host.</summary>
    private static string[] Traces() =>
    [
        .. Directory.EnumerateDirectories("/tmp", "vks-bench-*"),
        .. Directory.EnumerateFileSystemEntries("/sys/class/net").Where(link => Path.GetFileName(link).StartsWith("vksb-", StringComparison.Ordinal)),
        .. File.ReadLines("/proc/self/mountinfo").Where(line => line.Contains("/tmp/vks-bench-", StringComparison.Ordinal)),
        .. Directory.EnumerateDirectories("/proc").Where(folder => int.TryParse(Path.GetFileName(folder), out _)).Where(MentionsBench),
    ];

    private static bool MentionsBench(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline")).Contains("/tmp/vks-bench-", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }
}
