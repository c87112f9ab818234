using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;
using Vks.Tests.Kit;
using Vks.Tests.Runtime;

namespace Vks.Tests.Fuzz;

/// <summary>Frames at random between daemon and agent, in both directions: each side bears the other's with its calls answered or failed, and goes on.</summary>
public sealed class GuestFuzzTests(ITestOutputHelper output)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);
    private static readonly FrameKind[] s_kinds = [.. Enum.GetValues<FrameKind>(), 0, (FrameKind)200];
    private static readonly string[] s_methods = [GuestMethods.Ping, GuestMethods.Exec, GuestMethods.ContainerOutput, "no.such", ""];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_agent_bears_any_host()
    {
        FuzzTime time = FuzzTime.Start(TimeSpan.FromSeconds(3));
        await using var rig = new GuestRig(methods =>
        {
            GuestRig.Add(methods, GuestMethods.Exec, static async (call, token) =>
            {
                await call.WriteAsync(GuestStream.Output, new byte[300 * 1024], token);
                await call.EndAsync(GuestStream.Output);
            });
            GuestRig.Add(methods, GuestMethods.ContainerOutput, static (call, token) => call.Input.CopyToAsync(Stream.Null, token));
        });
        var wires = 0;
        for (; time.GoesOn; wires++)
        {
            var random = new Random(time.Seed + wires);
            await using (Stream wire = rig.Wire())
            {
                Task reading = DrainAsync(wire);
                using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
                try
                {
                    await wire.WriteAsync(Frame(FrameKind.Hello, 0, JsonSerializer.SerializeToUtf8Bytes(new Hello($"n{wires}", 1, 1), GuestJson.Default.Hello)), patience.Token);
                    for (int left = random.Next(1, 40); left > 0; left--)
                    {
                        await wire.WriteAsync(FromHost(random), patience.Token);
                    }
                }
                catch (Exception over) when (over is IOException or OperationCanceledException)
                {
                    // The agent has hung up, or takes no more.
                }
            }

            GuestClient client = await rig.ConnectAsync().WaitAsync(s_limit, Token);
            await GuestRig.PingAsync(client).WaitAsync(s_limit, Token);
            await client.DisposeAsync();
        }

        output.WriteLine($"{wires} hosts, seeds from {time.Seed} on");
    }

    [Fact]
    public async Task The_daemon_bears_any_agent()
    {
        FuzzTime time = FuzzTime.Start(TimeSpan.FromSeconds(3));
        var agents = 0;
        var ends = new SortedDictionary<string, int>(StringComparer.Ordinal);
        for (; time.GoesOn; agents++)
        {
            var random = new Random(time.Seed + agents);
            (FakeAgentWire host, FakeAgentWire guest) = FakeAgentWire.CreatePair();
            await using var agent = new FakeAgent(guest);
            Task<GuestClient> connecting = GuestClient.ConnectAsync(_ => ValueTask.FromResult<Stream>(host), usedBefore: false, forTemplate: false, NullLogger.Instance, GuestRig.Deadline);
            await agent.AcceptHelloAsync(GuestRig.Deadline);
            GuestClient client = await connecting.WaitAsync(s_limit, Token);
            Task[] calls = [.. Enumerable.Range(0, 4).Select(_ => CallAsync(client, ends))];
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
            try
            {
                for (int left = random.Next(1, 40); left > 0; left--)
                {
                    await agent.SendRawAsync(FromGuest(random), patience.Token);
                }
            }
            catch (Exception over) when (over is IOException or OperationCanceledException)
            {
                // The daemon has hung up, or takes no more.
            }

            await agent.DisposeAsync();
            await Task.WhenAll(calls).WaitAsync(s_limit, Token);
            await client.Closed.WaitAsync(s_limit, Token);
            await client.DisposeAsync();
        }

        output.WriteLine($"{agents} agents, seeds from {time.Seed} on: {string.Join(", ", ends.Select(one => $"{one.Key} {one.Value}"))}");
    }

    private static async Task CallAsync(GuestClient client, SortedDictionary<string, int> ends)
    {
        string end;
        try
        {
            await using GuestCall<ExecResult> call = await client.OpenAsync(GuestMethods.Exec, new Empty(), GuestJson.Default.Empty, GuestJson.Default.ExecResult, GuestRig.Deadline);
            await call.WriteInputAsync(new byte[1000], GuestRig.Deadline);
            Task reading = Task.WhenAll(ReadAsync(call.Output), ReadAsync(call.Error));
            await call.Completion;
            await reading.WaitAsync(s_limit, Token);
            end = "answered";
        }
        catch (GuestException failed)
        {
            end = failed.ConnectionLost ? "lost" : failed.Fault.ToString();
        }

        lock (ends)
        {
            ends[end] = ends.GetValueOrDefault(end) + 1;
        }
    }

    private static async Task ReadAsync(PipeReader reader)
    {
        try
        {
            await reader.CopyToAsync(Stream.Null);
        }
        catch (GuestException)
        {
            // Told by the call too.
        }
    }

    private static async Task DrainAsync(Stream wire)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await wire.ReadAsync(buffer) > 0)
            {
                // What it says is of no interest.
            }
        }
        catch (Exception over) when (over is IOException or ObjectDisposedException or InvalidOperationException)
        {
            // Cut.
        }
    }

    private static byte[] FromHost(Random random) => random.Next(4) switch
    {
        0 => Damage(random, Frame(FrameKind.Request, (uint)random.Next(6), Encoding.UTF8.GetBytes($"{{\"method\":\"{s_methods[random.Next(s_methods.Length)]}\",\"body\":{{}}}}"))),
        1 => Damage(random, Frame(FrameKind.Data, (uint)random.Next(6), new byte[random.Next(10) == 0 ? ProtocolLimits.MaxFramePayloadBytes : random.Next(100)])),
        _ => Any(random),
    };

    private static byte[] FromGuest(Random random) => random.Next(5) switch
    {
        0 => Damage(random, Frame(FrameKind.Response, (uint)random.Next(6), Encoding.UTF8.GetBytes("{\"exitCode\":0}"))),
        1 => Damage(random, Frame(FrameKind.Error, (uint)random.Next(6), Encoding.UTF8.GetBytes($"{{\"fault\":{random.Next(-2, 20)},\"message\":\"m\"}}"))),
        2 => Damage(random, Frame(FrameKind.Data, (uint)random.Next(6), new byte[random.Next(6) == 0 ? ProtocolLimits.MaxFramePayloadBytes : random.Next(100)])),
        _ => Any(random),
    };

    private static byte[] Any(Random random)
    {
        var body = new byte[random.Next(10) == 0 ? ProtocolLimits.MaxFramePayloadBytes : random.Next(60)];
        random.NextBytes(body);
        byte[] frame = FakeAgent.Frame(s_kinds[random.Next(s_kinds.Length)], (GuestStream)random.Next(6), random.Next(3) == 0 ? (uint)random.NextInt64() : (uint)random.Next(6), body, more: random.Next(4) == 0);
        return random.Next(10) == 0 ? body : Damage(random, frame);
    }

    private static byte[] Damage(Random random, byte[] frame)
    {
        switch (random.Next(12))
        {
            case 0:
                frame[random.Next(Math.Min(frame.Length, ProtocolLimits.HeaderBytes))] ^= (byte)(1 << random.Next(8));
                return frame;
            case 1:
                return frame[..random.Next(frame.Length)];
            default:
                return frame;
        }
    }

    private static byte[] Frame(FrameKind kind, uint call, byte[] body) => FakeAgent.Frame(kind, GuestStream.Input, call, body);
}
