using Vks.Bench;
using Vks.Bench.Host;
using Vks.Bench.Results;

namespace Vks.Tests.Bench;

/// <summary>What is judged, and that nothing passes by being left out.</summary>
public sealed class GatesTests
{
    [Fact]
    public void A_gate_whose_arm_did_not_run_is_not_measured_and_fails_a_full_run()
    {
        BenchResult full = Result(BenchPlan.Full, []);

        Assert.All(full.Gates, gate => Assert.Equal(GateVerdict.NotMeasured, gate.Verdict));
        Assert.False(full.Succeeded);
        Assert.True(Result(BenchPlan.Quick, []).Succeeded);
    }

    [Theory]
    [InlineData(199, true)]
    [InlineData(201, false)]
    public void A_ratio_is_held_against_its_limit(double ours, bool passes)
    {
        Gate gate = Find(
            [new Series("boot", "exec to PID 1", "ours", "ms", [ours]), new Series("boot", "exec to PID 1", "stock pc", "ms", [1000])], "cold boot");

        Assert.Equal(passes ? GateVerdict.Passed : GateVerdict.Failed, gate.Verdict);
        Assert.Equal(ours / 1000, gate.Value);
    }

    [Fact]
    public void Clones_stand_for_us_where_they_ran()
    {
        Series[] series =
        [
            new("serial", "run + create + start", "cold", "ms", [900]), new("serial", "run + create + start", "clone", "ms", [90]),
            new("serial", "run + create + start", "containerd", "ms", [100]),
        ];

        Assert.Equal(GateVerdict.Passed, Find(series, "RunPodSandbox").Verdict);
        Assert.Equal(GateVerdict.Failed, Find([series[0], series[2]], "RunPodSandbox").Verdict);
    }

    [Fact]
    public void One_boot_of_two_hundred_that_fails_fails_the_gate_and_even_a_quick_run()
    {
        double[] boots = [.. Enumerable.Repeat(1.0, 199), 0];

        Gate gate = Find([new Series("load", "boot succeeded", "cold", "count", boots)], "boots that succeed");

        Assert.Equal(GateVerdict.Failed, gate.Verdict);
        Assert.Equal(199, gate.Value);
        Assert.False(Result(BenchPlan.Quick, [new Series("load", "boot succeeded", "cold", "count", [1, 1, 1, 1, 1, 0])]).Succeeded);
    }

    [Fact]
    public void Fewer_boots_than_promised_are_not_measured()
    {
        Gate gate = Find([new Series("load", "boot succeeded", "cold", "count", [1, 1, 1])], "boots that succeed");

        Assert.Equal(GateVerdict.NotMeasured, gate.Verdict);
    }

    private static Gate Find(Series[] series, string begin) =>
        Assert.Single(Gates.Judge(series, BenchPlan.Full), gate => gate.Name.StartsWith(begin, StringComparison.Ordinal));

    private static BenchResult Result(BenchPlan plan, Series[] series) => new()
    {
        Version = BenchResult.CurrentVersion,
        Begun = DateTimeOffset.UnixEpoch,
        DurationSeconds = 1,
        Plan = plan,
        Machine = new MachineDescription
        {
            Cpu = "a processor", Processors = 2, MemoryMiB = 1024, Kernel = "6.1", System = "a system", Load = "0 0 0", Accelerator = "tcg", Versions = new Dictionary<string, string>(),
        },
        Arms = new Dictionary<string, string>(),
        Gates = Gates.Judge(series, plan),
        Summary = [.. series.Select(SummaryRow.Of)],
        Predictions = [],
        Failures = [],
        Series = series,
    };
}
