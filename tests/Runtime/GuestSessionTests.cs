using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Vks.Agent.Channel;
using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;
using Vks.Tests.Kit;

namespace Vks.Tests.Runtime;

/// <summary>Sessions that begin in the middle of another's bytes, and peers that break the rules.</summary>
public sealed class GuestSessionTests
{
    private const string Method = "test.method";

    [Fact]
    public async Task A_new_session_begins_in_the_middle_of_a_frame_either_way()
    {
        await using var rig = new GuestRig(table => GuestRig.Add(table, Method, async (call, cancellationToken) =>
            await call.WriteAsync(GuestStream.Output, new byte[4 * ProtocolLimits.InitialWindowBytes], cancellationToken)));
        Stream wire = rig.Wire();
        await wire.WriteAsync(HelloFrame("first"), GuestRig.Deadline);
        await wire.WriteAsync(RequestFrame(1, Method), GuestRig.Deadline);
        await wire.ReadExactlyAsync(new byte[40_000], GuestRig.Deadline);
        await wire.WriteAsync(FakeAgent.Frame(FrameKind.Data, GuestStream.Input, 1, new byte[60_000]).AsMemory(0, 30_000), GuestRig.Deadline);

        GuestClient client = await rig.ConnectAsync(wire, usedBefore: true);

        await GuestRig.PingAsync(client);
    }

    [Fact]
    public async Task Container_output_that_looks_like_frames_cannot_swallow_a_new_session()
    {
        byte[] trap = FakeAgent.Frame(FrameKind.Data, GuestStream.Output, 1, new byte[ProtocolLimits.MaxFramePayloadBytes]).AsSpan(0, ProtocolLimits.HeaderBytes).ToArray();
        byte[] traps = [.. Enumerable.Repeat(trap, 4000).SelectMany(bytes => bytes)];
        await using var rig = new GuestRig(table => GuestRig.Add(table, Method, async (call, cancellationToken) =>
            await call.WriteAsync(GuestStream.Output, traps, cancellationToken)));
        Stream wire = rig.Wire();
        await wire.WriteAsync(HelloFrame("first"), GuestRig.Deadline);
        await wire.WriteAsync(RequestFrame(1, Method), GuestRig.Deadline);
        await wire.ReadExactlyAsync(new byte[30_000], GuestRig.Deadline);

        GuestClient client = await rig.ConnectAsync(wire, usedBefore: true);

        await GuestRig.PingAsync(client);
    }

    [Fact]
    public async Task A_new_Hello_detaches_the_calls_of_the_session_before_and_their_answers_stay_unsent()
    {
        var (handler, ended) = GuestChannelTests.WaitsForItsEnd();
        await using var rig = new GuestRig(table => GuestRig.Add(table, Method, handler));
        Stream wire = rig.Wire();
        await using var raw = new FakeAgent(wire);
        await raw.SendRawAsync(HelloFrame("first"), GuestRig.Deadline);
        await raw.SendRawAsync(RequestFrame(1, Method), GuestRig.Deadline);
        await raw.SendRawAsync(RequestFrame(2, GuestMethods.Ping), GuestRig.Deadline);
        await raw.ExpectAsync(FrameKind.Response, GuestRig.Deadline);

        await raw.SendRawAsync(HelloFrame("second"), GuestRig.Deadline);
        await raw.SendRawAsync(RequestFrame(7, GuestMethods.Ping), GuestRig.Deadline);

        Assert.Equal(CallEnd.SessionEnded, await ended.WaitAsync(GuestRig.Deadline));
        (_, byte[] reply) = await raw.ExpectAsync(FrameKind.HelloReply, GuestRig.Deadline);
        Assert.Equal("second", JsonSerializer.Deserialize(reply, GuestJson.Default.HelloReply)!.Nonce);
        Assert.Equal(7u, (await raw.ExpectAsync(FrameKind.Response, GuestRig.Deadline)).Header.CallId);
    }

    [Fact]
    public async Task The_same_Hello_again_is_answered_and_changes_nothing()
    {
        var (handler, ended) = GuestChannelTests.WaitsForItsEnd();
        await using var rig = new GuestRig(table => GuestRig.Add(table, Method, handler));
        await using var raw = new FakeAgent(rig.Wire());
        await raw.SendRawAsync(HelloFrame("one"), GuestRig.Deadline);
        await raw.SendRawAsync(RequestFrame(1, Method), GuestRig.Deadline);

        await raw.SendRawAsync(HelloFrame("one"), GuestRig.Deadline);

        await raw.ExpectAsync(FrameKind.HelloReply, GuestRig.Deadline);
        await raw.ExpectAsync(FrameKind.HelloReply, GuestRig.Deadline);
        Assert.False(ended.IsCompleted);
    }

    [Fact]
    public async Task Versions_that_do_not_meet_are_told_with_both_ranges()
    {
        GuestException thrown = await Assert.ThrowsAsync<GuestException>(() => ConnectAsync(agent =>
        {
            agent.Reply = agent.Reply with { Version = 0, OldestVersion = 7, NewestVersion = 9 };
            return agent.AcceptHelloAsync(GuestRig.Deadline);
        }));

        Assert.Equal((GuestFault.WrongState, false), (thrown.Fault, thrown.ConnectionLost));
        Assert.Contains("7 to 9", thrown.Message, StringComparison.Ordinal);
        Assert.Contains($"{ProtocolLimits.OldestVersion} to {ProtocolLimits.Version}", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_agent_refuses_versions_it_does_not_speak_and_its_requests_stay_unanswered()
    {
        await using var rig = new GuestRig();
        await using var raw = new FakeAgent(rig.Wire());

        await raw.SendRawAsync(HelloFrame("new", oldest: 50, newest: 60), GuestRig.Deadline);
        await raw.SendRawAsync(RequestFrame(1, GuestMethods.Ping), GuestRig.Deadline);
        (_, byte[] body) = await raw.ExpectAsync(FrameKind.HelloReply, GuestRig.Deadline);
        HelloReply reply = JsonSerializer.Deserialize(body, GuestJson.Default.HelloReply)!;
        await raw.SendRawAsync(HelloFrame("old"), GuestRig.Deadline);
        await raw.SendRawAsync(RequestFrame(2, GuestMethods.Ping), GuestRig.Deadline);

        Assert.Equal((0, ProtocolLimits.OldestVersion, ProtocolLimits.Version), (reply.Version, reply.OldestVersion, reply.NewestVersion));
        Assert.Equal(2u, (await raw.ExpectAsync(FrameKind.Response, GuestRig.Deadline)).Header.CallId);
    }

    [Fact]
    public async Task Answers_to_another_daemons_Hello_and_noise_are_passed_over()
    {
        await using GuestClient client = await ConnectAsync(async agent =>
        {
            byte[] noise = new byte[10_000];
            new Random(3).NextBytes(noise);
            await agent.SendRawAsync(noise, GuestRig.Deadline);
            await agent.SendAsync(FrameKind.HelloReply, 0, agent.Reply with { Nonce = "other", AgentVersion = "wrong" }, GuestJson.Default.HelloReply, GuestRig.Deadline);
            await agent.SendAsync(FrameKind.HelloReply, default, 0, FakeAgent.Text("{not json"), GuestRig.Deadline);
            await agent.AcceptHelloAsync(GuestRig.Deadline);
            await FakeAgent.NeverAnswersAsync(agent, GuestRig.Deadline);
        });

        Assert.Equal("0.0-fake", client.Session.AgentVersion);
    }

    [Fact]
    public async Task A_guest_that_overruns_its_credit_fails_that_call_alone()
    {
        await using GuestClient client = await ConnectAsync(async agent =>
        {
            await agent.AcceptHelloAsync(GuestRig.Deadline);
            (FrameHeader first, _) = await agent.ExpectAsync(FrameKind.Request, GuestRig.Deadline);
            (FrameHeader second, _) = await agent.ExpectAsync(FrameKind.Request, GuestRig.Deadline);
            for (int sent = 0; sent <= ProtocolLimits.InitialWindowBytes; sent += 50_000)
            {
                await agent.SendAsync(FrameKind.Data, GuestStream.Output, first.CallId, new byte[50_000], GuestRig.Deadline);
            }

            await agent.ExpectAsync(FrameKind.Cancel, GuestRig.Deadline);
            await agent.SendAsync(FrameKind.Response, second.CallId, new Empty(), GuestJson.Default.Empty, GuestRig.Deadline);
            await FakeAgent.NeverAnswersAsync(agent, GuestRig.Deadline);
        });

        await using GuestCall<Empty> greedy = await GuestRig.OpenAsync(client, Method);
        await using GuestCall<Empty> modest = await GuestRig.OpenAsync(client, Method);

        await modest.Completion;
        GuestException thrown = await Assert.ThrowsAsync<GuestException>(() => greedy.Completion);
        Assert.Equal((GuestFault.Failed, false), (thrown.Fault, thrown.ConnectionLost));
        Assert.Contains("credit", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_host_that_overruns_its_credit_fails_that_call_alone()
    {
        var (handler, _) = GuestChannelTests.WaitsForItsEnd();
        await using var rig = new GuestRig(table => GuestRig.Add(table, Method, handler));
        await using var raw = new FakeAgent(rig.Wire());
        await raw.SendRawAsync(HelloFrame("one"), GuestRig.Deadline);
        await raw.SendRawAsync(RequestFrame(1, Method), GuestRig.Deadline);

        for (int sent = 0; sent <= ProtocolLimits.InitialWindowBytes; sent += 50_000)
        {
            await raw.SendAsync(FrameKind.Data, GuestStream.Input, 1, new byte[50_000], GuestRig.Deadline);
        }

        (FrameHeader header, byte[] body) = await raw.ExpectAsync(FrameKind.Error, GuestRig.Deadline);
        Assert.Equal((1u, GuestFault.InvalidRequest), (header.CallId, JsonSerializer.Deserialize(body, GuestJson.Default.GuestError)!.Fault));
        await raw.SendRawAsync(RequestFrame(2, GuestMethods.Ping), GuestRig.Deadline);
        await raw.ExpectAsync(FrameKind.Response, GuestRig.Deadline);
    }

    [Fact]
    public async Task The_agent_answers_requests_that_are_no_requests_and_goes_on()
    {
        await using var rig = new GuestRig();
        await using var raw = new FakeAgent(rig.Wire());
        await raw.SendAsync(FrameKind.Hello, default, 0, FakeAgent.Text("[]"), GuestRig.Deadline);
        await raw.SendRawAsync(HelloFrame("one"), GuestRig.Deadline);

        foreach (string text in (string[])["", "null", "{}", "[1", "{\"method\":5}", "{\"method\":\"guest.ping\"}", "{\"method\":\"guest.ping\",\"body\":null}"])
        {
            await raw.SendAsync(FrameKind.Request, default, 1, FakeAgent.Text(text), GuestRig.Deadline);
            (_, byte[] body) = await raw.ExpectAsync(FrameKind.Error, GuestRig.Deadline);
            Assert.Equal(GuestFault.InvalidRequest, JsonSerializer.Deserialize(body, GuestJson.Default.GuestError)!.Fault);
        }

        byte[] noise = new byte[50_000];
        new Random(5).NextBytes(noise);
        await raw.SendRawAsync(noise, GuestRig.Deadline);
        await raw.SendRawAsync(RequestFrame(2, GuestMethods.Ping), GuestRig.Deadline);
        await raw.ExpectAsync(FrameKind.Response, GuestRig.Deadline);
    }

    [Theory]
    [InlineData("{not json")]
    [InlineData("null")]
    [InlineData("{\"fault\":99,\"message\":\"?\"}")]
    public async Task Answers_that_are_no_answers_fail_their_call_alone(string text)
    {
        await using GuestClient client = await ConnectAsync(async agent =>
        {
            await agent.AcceptHelloAsync(GuestRig.Deadline);
            foreach (FrameKind kind in (FrameKind[])[FrameKind.Response, FrameKind.Error])
            {
                (FrameHeader request, _) = await agent.ExpectAsync(FrameKind.Request, GuestRig.Deadline);
                await agent.SendAsync(kind, default, request.CallId, FakeAgent.Text(text), GuestRig.Deadline);
            }

            await FakeAgent.NeverAnswersAsync(agent, GuestRig.Deadline);
        });

        Assert.Equal(GuestFault.Failed, await GuestChannelTests.FaultOfAsync(GuestRig.PingAsync(client)));
        Assert.Equal(GuestFault.Failed, await GuestChannelTests.FaultOfAsync(GuestRig.PingAsync(client)));
        Assert.False(client.Closed.IsCompleted);
    }

    [Fact]
    public async Task A_guest_that_dies_mid_call_is_a_lost_connection()
    {
        await using GuestClient client = await ConnectAsync(agent => FakeAgent.DiesMidCallAsync(agent, GuestRig.Deadline));

        Assert.True((await Assert.ThrowsAsync<GuestException>(() => GuestRig.PingAsync(client))).ConnectionLost);
    }

    [Fact]
    public async Task A_guest_that_never_answers_Hello_costs_the_callers_deadline_and_no_more()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => ConnectAsync(agent => FakeAgent.TalksGarbageAsync(agent, GuestRig.Deadline), patience.Token));
    }

    [Fact]
    public async Task A_guest_that_hangs_up_before_its_Hello_is_a_lost_connection()
    {
        GuestException thrown = await Assert.ThrowsAsync<GuestException>(() => ConnectAsync(static _ => Task.CompletedTask));

        Assert.True(thrown.ConnectionLost);
    }

    private static Task<GuestClient> ConnectAsync(Func<FakeAgent, Task> script, CancellationToken? token = null)
    {
        (FakeAgentWire host, FakeAgentWire guest) = FakeAgentWire.CreatePair();
        _ = PlayAsync();
        return GuestClient.ConnectAsync(_ => ValueTask.FromResult<Stream>(host), usedBefore: false, forTemplate: false, NullLogger.Instance, token ?? GuestRig.Deadline);

        async Task PlayAsync()
        {
            await using var agent = new FakeAgent(guest);
            await script(agent);
        }
    }

    private static byte[] HelloFrame(string nonce, int oldest = 1, int newest = 1) => FakeAgent.Frame(
        FrameKind.Hello, default, 0, JsonSerializer.SerializeToUtf8Bytes(new Hello(nonce, oldest, newest), GuestJson.Default.Hello));

    private static byte[] RequestFrame(uint callId, string method) => FakeAgent.Frame(
        FrameKind.Request,
        default,
        callId,
        JsonSerializer.SerializeToUtf8Bytes(
            new GuestRequest(method, JsonSerializer.SerializeToElement(new Empty(), GuestJson.Default.Empty)), GuestJson.Default.GuestRequest));
}
