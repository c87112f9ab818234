using System.Diagnostics;
using System.Globalization;
using Vks.Tests.EndToEnd;
using Vks.Tests.Kit;

namespace Vks.Tests.Fuzz;

/// <summary>Every CRI call with requests at random: answers in time, of the right kind, nobody else disturbed, nothing left.</summary>
[Collection(NodeCollection.Name)]
public sealed class CriFuzzTests(NodeLab lab, ITestOutputHelper output)
{
    private const int AllowedDescriptors = 40;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Requests_at_random_never_crash_hang_disturb_or_leak()
    {
        LeakCheck before = lab.TakeLeakCheck();
        string folder = Directory.CreateDirectory(Path.Combine(lab.Directory, "fuzz")).FullName;
        await MakeTrapsAsync(folder);
        await using PodUnderTest bystander = await CriFuzzer.RunAsync(lab, Token);
        string container = await bystander.StartAsync(Token, "sleep", "100000");
        using var fuzzer = new CriFuzzer(lab, folder);
        int daemon = lab.Daemon.Pid;
        FuzzTime time = FuzzTime.Start(TimeSpan.FromSeconds(15));
        var steps = 0;
        try
        {
            for (; steps == 0 || time.GoesOn; steps++)
            {
                await fuzzer.StepAsync(time.Seed + steps, [bystander.Id, container], Token);
                if (steps % 50 == 0)
                {
                    Assert.Equal("ok\n", await bystander.ExecAsync(container, Token, "echo", "ok"));
                }
            }
        }
        finally
        {
            Report(time, steps, fuzzer, daemon);
        }

        Assert.Equal("ok\n", await bystander.ExecAsync(container, Token, "echo", "ok"));
        await fuzzer.EndAsync();
        await bystander.DisposeAsync();
        LeakCheck after = await LeakCheck.SettleAsync(lab.TakeLeakCheck, before, Token);
        Assert.True(fuzzer.Faults.Count == 0, string.Join('\n', fuzzer.Faults.Values) + $"\n(seeds from {time.Seed} on)");
        Assert.Empty(before.Differences(after));
        Assert.InRange(after.DaemonDescriptors, 0, before.DaemonDescriptors + AllowedDescriptors);
    }

    /// <summary>Things that a path can lead to and that block or never end.</summary>
    private static async Task MakeTrapsAsync(string folder)
    {
        Directory.CreateDirectory(Path.Combine(folder, "logs", "c"));
        await File.WriteAllTextAsync(Path.Combine(folder, "file"), "{}", Token);
        if (!File.Exists(Path.Combine(folder, "pipe")))
        {
            using Process make = Process.Start("mkfifo", [Path.Combine(folder, "pipe"), Path.Combine(folder, "logs", "pipe")]);
            await make.WaitForExitAsync(Token);
            File.CreateSymbolicLink(Path.Combine(folder, "loop"), "loop");
        }
    }

    private void Report(FuzzTime time, int steps, CriFuzzer fuzzer, int daemon)
    {
        long resident = File.ReadLines($"/proc/{daemon}/status").Where(line => line.StartsWith("VmRSS", StringComparison.Ordinal)).Select(line => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture)).First();
        List<string> lines = [string.Create(CultureInfo.InvariantCulture, $"{steps} requests, seeds from {time.Seed} on, daemon {resident / 1024} MiB at the end")];
        foreach (var call in fuzzer.Counts.GroupBy(one => one.Key.Call).OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            lines.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"{call.Key} {call.Sum(one => one.Value)}: {string.Join(", ", call.OrderByDescending(one => one.Value).Select(one => $"{one.Key.Code} {one.Value}"))}; slowest {fuzzer.Slowest.GetValueOrDefault(call.Key).TotalMilliseconds:0} ms"));
        }

        output.WriteLine(string.Join('\n', lines));
        if (Environment.GetEnvironmentVariable("VKS_FUZZ_REPORT") is { } path)
        {
            File.AppendAllLines(path, [.. lines, .. fuzzer.Faults.Values, ""]);
        }
    }
}
