using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Vks.Agent.Channel;
using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Pods;
using Vks.Tests.Kit;
using Vks.Tests.Runtime;

namespace Vks.Tests.Spherelet;

/// <summary>Output on its way from the guest to the log: rotated under way, much of it, and with gaps.</summary>
public sealed class ContainerLogFlowTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_log_rotated_again_and_again_under_writing_has_every_line_once_and_in_order()
    {
        const int Count = 100_000;
        string folder = Directory.CreateTempSubdirectory("vks-log-").FullName;
        string path = Path.Combine(folder, "0.log");
        try
        {
            await using ContainerLog log = ContainerLog.OpenAt(path, null, static _ => { }, TimeProvider.System, NullLogger.Instance);
            Task writing = Task.WhenAll(WriteAsync(log, isError: false), WriteAsync(log, isError: true));
            int rotations = 0;
            do
            {
                File.Move(path, $"{path}.{rotations++:D4}");
                await log.ReopenAsync(Token);
            }
            while (!writing.IsCompleted);
            await writing;

            string[] entries = [.. Directory.GetFiles(folder, "0.log.*").Order(StringComparer.Ordinal).Append(path).SelectMany(File.ReadAllLines)];
            Assert.Equal(Numbers(), entries.Where(entry => entry.Contains(" stdout F ", StringComparison.Ordinal)).Select(entry => entry.Split(' ')[3]));
            Assert.Equal(Numbers(), entries.Where(entry => entry.Contains(" stderr F ", StringComparison.Ordinal)).Select(entry => entry.Split(' ')[3]));
            Assert.True(rotations > 1, "the log was not rotated while it was written");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        static IEnumerable<string> Numbers() => Enumerable.Range(0, Count).Select(number => number.ToString(CultureInfo.InvariantCulture));

        async Task WriteAsync(ContainerLog log, bool isError)
        {
            await Task.Yield();
            var bytes = new ReadOnlySequence<byte>(Encoding.ASCII.GetBytes(string.Join('\n', Numbers()) + "\n"));
            while (bytes.Length > 0)
            {
                // As a pipe gives them: cut anywhere, and what was not taken comes again with more behind it.
                long stored = await log.WriteAsync(bytes.Slice(0, Math.Min(bytes.Length, Random.Shared.Next(10, 5000))), end: false, isError, Token);
                bytes = bytes.Slice(stored);
            }
        }
    }

    [Fact]
    public async Task Fifty_megabytes_pass_beside_a_pod_whose_disk_is_full()
    {
        const int Total = 50_000_000;
        await using SmallDisk disk = await SmallDisk.CreateAsync(64);
        disk.Fill();
        await using GuestRig agent = Agent(Total);
        await using ScriptedPod stuck = await ScriptedPod.CreateAsync(await agent.ConnectAsync(), Token);
        ContainerLog stuckLog = ContainerLog.OpenAt(Path.Combine(disk.Folder, "0.log"), null, static _ => { }, stuck.Time, NullLogger.Instance);
        await using GuestRig otherAgent = Agent(Total);
        await using ScriptedPod pod = await ScriptedPod.CreateAsync(await otherAgent.ConnectAsync(), Token);
        ContainerLog log = pod.OpenLog();

        stuck.Follow(stuckLog);
        long began = Stopwatch.GetTimestamp();
        pod.Follow(log);
        await Eventually.TrueAsync(() => Task.FromResult(log.Position.Complete), Deadline, () => $"only {log.Position.OutputBytes} bytes came", Token);
        TimeSpan took = Stopwatch.GetElapsedTime(began);

        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Total / took.TotalSeconds / 1e6:F0} MB/s"));
        Assert.True(log.Position.OutputBytes >= Total, $"only {log.Position.OutputBytes} bytes came");
        Assert.Equal(0, stuckLog.Position.OutputBytes);
    }

    [Fact]
    public async Task What_the_guest_no_longer_has_is_told_in_the_log_and_the_rest_follows()
    {
        await using GuestRig agent = new(methods =>
        {
            WaitForEver(methods);
            methods.Register(
                GuestMethods.ListContainers, static () => GuestJson.Default.Empty, static () => GuestJson.Default.ContainerList,
                (_, _, _) => Task.FromResult(new ContainerList([new ContainerReport(s_id!, GuestContainerState.Running, 1, 1, 0, 0, false) { OutputStart = 100 }])));
            methods.Register(
                GuestMethods.ContainerOutput, static () => GuestJson.Default.OutputRequest, static () => GuestJson.Default.OutputResult,
                async (call, request, token) =>
                {
                    if (request.OutputOffset != 100)
                    {
                        throw new AgentException(GuestFault.InvalidRequest, "Those bytes are not kept.");
                    }

                    await call.WriteAsync(GuestStream.Output, "rest\n"u8.ToArray(), token);
                    return new OutputResult(105, 0);
                });
        });
        await using ScriptedPod pod = await ScriptedPod.CreateAsync(await agent.ConnectAsync(), Token);
        s_id = pod.Container.Id;
        ContainerLog log = pod.OpenLog();

        pod.Follow(log);
        await Eventually.TrueAsync(
            () =>
            {
                pod.Time.Advance(TimeSpan.FromSeconds(1));
                return Task.FromResult(log.Position.Complete);
            },
            Deadline, () => $"the log is at {log.Position}", Token);

        string[] lines = await File.ReadAllLinesAsync(pod.LogFile, Token);
        Assert.Contains("F:vks 100 bytes of output are missing here", lines[0], StringComparison.Ordinal);
        Assert.EndsWith(" stdout F rest", lines[1], StringComparison.Ordinal);
        Assert.Equal(105, log.Position.OutputBytes);
    }

    [Fact]
    public async Task A_line_without_its_end_is_stored_when_the_machine_ends()
    {
        await using GuestRig agent = new(methods =>
        {
            WaitForEver(methods);
            methods.Register(
                GuestMethods.ContainerOutput, static () => GuestJson.Default.OutputRequest, static () => GuestJson.Default.OutputResult,
                async (call, _, token) =>
                {
                    await call.WriteAsync(GuestStream.Output, "whole\nand then the lights w"u8.ToArray(), token);
                    await Task.Delay(Timeout.InfiniteTimeSpan, token);
                    return new OutputResult(0, 0);
                });
        });
        var channel = await agent.ConnectAsync();
        await using ScriptedPod pod = await ScriptedPod.CreateAsync(channel, Token);
        ContainerLog log = pod.OpenLog();
        pod.Follow(log);
        await Eventually.TrueAsync(() => Task.FromResult(log.Position.OutputBytes == 6), Deadline, () => $"the log is at {log.Position}", Token);

        pod.Run.End("pulled the plug");
        await channel.DisposeAsync();
        await pod.AdvanceUntilAsync(pod.Container.Ended);
        await Eventually.TrueAsync(() => Task.FromResult(log.Position.Complete), Deadline, () => $"the log is at {log.Position}", Token);

        Assert.EndsWith(" stdout F and then the lights w\n", await File.ReadAllTextAsync(pod.LogFile, Token), StringComparison.Ordinal);
    }

    private static string? s_id;

    private static GuestRig Agent(int total) => new(methods =>
    {
        WaitForEver(methods);
        byte[] chunk = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(new string('x', 99) + "\n", 320)));
        methods.Register(
            GuestMethods.ContainerOutput, static () => GuestJson.Default.OutputRequest, static () => GuestJson.Default.OutputResult,
            async (call, _, token) =>
            {
                long sent = 0;
                while (sent < total)
                {
                    await call.WriteAsync(GuestStream.Output, chunk, token);
                    sent += chunk.Length;
                }

                return new OutputResult(sent, 0);
            });
    });

    private static void WaitForEver(MethodTable methods) => methods.Register(
        GuestMethods.WaitContainer, static () => GuestJson.Default.ContainerReference, static () => GuestJson.Default.ContainerReport,
        static async (_, _, token) =>
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, token);
            throw new OperationCanceledException(token);
        });
}
