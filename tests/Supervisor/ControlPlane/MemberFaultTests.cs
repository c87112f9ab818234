using System.Diagnostics;
using System.Globalization;
using System.Text;
using Vks.Tests.Kit;

namespace Vks.Tests.Supervisor.ControlPlane;

/// <summary>
/// Three real members, a writer that goes on through the floating address, and what may befall a member: nothing that was acknowledged is
/// lost, never two hosts have the address, and the API answers again soon.
/// </summary>
[Collection(ControlPlaneCollection.Name)]
public sealed class MemberFaultTests(ITestOutputHelper output)
{
    /// <summary>On a machine that does something else at the same time, a choice of etcd's leader may take longer than on hosts of their own.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan s_settle = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan s_soon = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan s_minute = TimeSpan.FromMinutes(1);

    /// <summary>Until the address is elsewhere, and for a while more.</summary>
    private static readonly TimeSpan s_fault = TimeSpan.FromSeconds(12);

    private static string? Report => Environment.GetEnvironmentVariable("VKS_FAULT_REPORT");

    [Fact]
    public async Task The_API_answers_again_after_a_holder_was_killed_stopped_or_cut_off_and_no_acknowledged_write_is_lost()
    {
        Dictionary<string, List<TimeSpan>> gaps = await RunAsync(
            1,
            [
                "kill -9 of the holder", "holder stopped (SIGSTOP) with all its programs", "holder's zone cut off, with clients in it", "holder's clock a day behind",
                "holder told to stop (SIGTERM)",
            ],
            pause: s_fault);

        output.WriteLine(Table(gaps));
    }

    [Fact(Explicit = true)]
    public async Task Every_fault_several_times_with_a_table_of_seconds_without_API()
    {
        int runs = int.Parse(Environment.GetEnvironmentVariable("VKS_FAULT_RUNS") ?? "5", CultureInfo.InvariantCulture);
        string[] only = (Environment.GetEnvironmentVariable("VKS_FAULT_ONLY") ?? "").Split('|');

        Dictionary<string, List<TimeSpan>> gaps = await RunAsync(runs, [.. MemberFaults.Names.Where(name => only.Any(part => name.Contains(part, StringComparison.Ordinal)))], pause: s_minute);

        output.WriteLine(Table(gaps));
        Assert.All(gaps, static fault => Assert.All(fault.Value, gap => Assert.True(gap < s_soon, $"{fault.Key}: {gap.TotalSeconds:0.0} s without API")));
    }

    private static async Task<Dictionary<string, List<TimeSpan>>> RunAsync(int runs, IReadOnlyList<string> faults, TimeSpan pause)
    {
        await using ControlPlaneLab lab = await ControlPlaneLab.CreateAsync(3);
        foreach (int number in lab.Numbers)
        {
            await lab.Hosts.ZoneAsync(number);
        }

        await using IAsyncDisposable disks = await MemberFaults.SmallDisksAsync(lab, mib: 400);
        await using IAsyncDisposable started = await lab.StartAllAsync();
        await using HolderWatch watch = await HolderWatch.StartAsync(lab.Hosts, lab.Numbers, lab.Floating);
        await using WriteLoad load = WriteLoad.Start(lab.Client(lab.Floating, TimeSpan.FromSeconds(1)));
        await load.NextAsync(s_patience, lab.Logs);
        MemberFaults member = new(lab);
        Dictionary<string, List<TimeSpan>> gaps = faults.ToDictionary(static name => name, static _ => new List<TimeSpan>());
        for (var run = 0; run < runs; run++)
        {
            foreach (string fault in faults)
            {
                // One fault at a time: a member that has just come back has not caught up yet.
                await lab.UntilAsync(() => lab.Holder() is not null && lab.Numbers.All(number => lab.State(number) is { Ready: true, Etcd.Serves: true }), s_patience, $"all is well before '{fault}'");
                await Task.Delay(s_settle, TestContext.Current.CancellationToken);
                long begin = Stopwatch.GetTimestamp();
                Func<Task> mend = await member.DoAsync(fault, lab.Holder()!.Value);

                // Mended in the middle of the time that is measured.
                await Task.Delay(fault.Contains("SIGSTOP", StringComparison.Ordinal) ? pause : s_fault, TestContext.Current.CancellationToken);
                await mend();
                await load.NextAsync(s_patience, lab.Logs);
                gaps[fault].Add(load.LongestGap(begin));
                await ReportAsync(gaps, fault, lab, load);
            }
        }

        using HttpClient reader = lab.Client(lab.Floating, TimeSpan.FromSeconds(30));
        Assert.Empty(await load.LostAsync(reader));
        Assert.True(load.Count > 10 * faults.Count, $"only {load.Count} writes were acknowledged");
        Assert.Empty(await watch.DoublesAsync());
        Assert.True(watch.Answers > 10, "the address was never asked for: the watch saw nothing");
        return gaps;
    }

    /// <summary>Writes down what is known so far, and what led to a gap that was too long.</summary>
    private static async Task ReportAsync(Dictionary<string, List<TimeSpan>> gaps, string fault, ControlPlaneLab lab, WriteLoad load)
    {
        if (Report is not { } report)
        {
            return;
        }

        TimeSpan gap = gaps[fault][^1];
        string load1 = (await File.ReadAllTextAsync("/proc/loadavg", TestContext.Current.CancellationToken)).Split(' ')[0];
        string line = string.Create(CultureInfo.InvariantCulture, $"{TimeProvider.System.GetUtcNow():HH:mm:ss};{fault};{gap.TotalSeconds:0.0};{load1}\n");
        await File.WriteAllTextAsync(report, Table(gaps), TestContext.Current.CancellationToken);
        await File.AppendAllTextAsync(report + ".runs", line, TestContext.Current.CancellationToken);
        if (gap > s_soon)
        {
            await File.AppendAllTextAsync(report + ".slow", $"{line}{load.Problems()}\n{lab.Logs(60)}\n", TestContext.Current.CancellationToken);
        }
    }

    private static string Table(Dictionary<string, List<TimeSpan>> gaps)
    {
        StringBuilder text = new();
        text.AppendLine("| fault | runs | seconds without API, p50 | max |").AppendLine("|---|---|---|---|");
        foreach ((string fault, List<TimeSpan> seconds) in gaps.Where(static fault => fault.Value.Count > 0))
        {
            TimeSpan[] sorted = [.. seconds.Order()];
            text.AppendLine(CultureInfo.InvariantCulture, $"| {fault} | {sorted.Length} | {sorted[(sorted.Length - 1) / 2].TotalSeconds:0.0} | {sorted[^1].TotalSeconds:0.0} |");
        }

        return text.ToString();
    }
}
