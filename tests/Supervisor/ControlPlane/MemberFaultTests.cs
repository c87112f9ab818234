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

    [Fact]
    public async Task The_API_answers_again_after_a_holder_was_killed_stopped_or_cut_off_and_no_acknowledged_write_is_lost()
    {
        Dictionary<string, List<TimeSpan>> gaps = await RunAsync(
            1, ["kill -9 of the holder", "holder stopped (SIGSTOP) with all its programs", "holder's cable pulled", "kill -9 of the holder's kube-apiserver", "holder told to stop (SIGTERM)"],
            pause: TimeSpan.FromSeconds(12));

        output.WriteLine(Table(gaps));
    }

    [Fact(Explicit = true)]
    public async Task Every_fault_several_times_with_a_table_of_seconds_without_API()
    {
        int runs = int.Parse(Environment.GetEnvironmentVariable("VKS_FAULT_RUNS") ?? "5", CultureInfo.InvariantCulture);
        string? only = Environment.GetEnvironmentVariable("VKS_FAULT_ONLY");

        Dictionary<string, List<TimeSpan>> gaps = await RunAsync(runs, [.. MemberFaults.Names.Where(name => only is null || name.Contains(only, StringComparison.Ordinal))], pause: s_minute);

        string table = Table(gaps);
        output.WriteLine(table);
        if (Environment.GetEnvironmentVariable("VKS_FAULT_REPORT") is { } report)
        {
            await File.WriteAllTextAsync(report, table, TestContext.Current.CancellationToken);
        }

        Assert.All(gaps, static fault => Assert.All(fault.Value, gap => Assert.True(gap < s_soon, $"{fault.Key}: {gap.TotalSeconds:0.0} s without API")));
    }

    private static async Task<Dictionary<string, List<TimeSpan>>> RunAsync(int runs, IReadOnlyList<string> faults, TimeSpan pause)
    {
        await using ControlPlaneLab lab = await ControlPlaneLab.CreateAsync(3);
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

                // Until the address is elsewhere and for a while more, mended in the middle of it.
                await Task.Delay(fault.Contains("SIGSTOP", StringComparison.Ordinal) ? pause : TimeSpan.FromSeconds(Math.Min(15, pause.TotalSeconds)), TestContext.Current.CancellationToken);
                await mend();
                await load.NextAsync(s_patience, lab.Logs);
                gaps[fault].Add(load.LongestGap(begin));
                if (gaps[fault][^1] > s_soon && Environment.GetEnvironmentVariable("VKS_FAULT_REPORT") is { } report)
                {
                    await File.AppendAllTextAsync(report + ".slow", $"{fault}, run {run + 1}: {gaps[fault][^1].TotalSeconds:0.0} s\n{lab.Logs(60)}\n", TestContext.Current.CancellationToken);
                }
            }
        }

        using HttpClient reader = lab.Client(lab.Floating, TimeSpan.FromSeconds(30));
        Assert.Empty(await load.LostAsync(reader));
        Assert.True(load.Count > 10 * faults.Count, $"only {load.Count} writes were acknowledged");
        Assert.Empty(await watch.DoublesAsync());
        Assert.True(watch.Answers > 10, "the address was never asked for: the watch saw nothing");
        return gaps;
    }

    private static string Table(Dictionary<string, List<TimeSpan>> gaps)
    {
        StringBuilder text = new();
        text.AppendLine("| fault | runs | seconds without API, p50 | max |").AppendLine("|---|---|---|---|");
        foreach ((string fault, List<TimeSpan> seconds) in gaps)
        {
            TimeSpan[] sorted = [.. seconds.Order()];
            text.AppendLine(CultureInfo.InvariantCulture, $"| {fault} | {sorted.Length} | {sorted[(sorted.Length - 1) / 2].TotalSeconds:0.0} | {sorted[^1].TotalSeconds:0.0} |");
        }

        return text.ToString();
    }
}
