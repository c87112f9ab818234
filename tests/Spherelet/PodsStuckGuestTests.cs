using Vks.Agent.Channel;
using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Pods;
using Vks.Tests.Kit;
using Vks.Tests.Runtime;

namespace Vks.Tests.Spherelet;

/// <summary>A guest that does not do what it is asked can always be ended from outside.</summary>
public sealed class PodsStuckGuestTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_pod_stops_although_its_container_outlives_the_kill(bool answersSignals)
    {
        await using GuestRig agent = Agent(answersSignals);
        GuestClient channel = await agent.ConnectAsync();
        await using ScriptedPod pod = await ScriptedPod.CreateAsync(channel, Token);
        pod.Follow(pod.OpenLog());

        await pod.AdvanceUntilAsync(pod.Pods.StopAsync(pod.Sandbox.Id, Token));

        // The machine of the script has no channel that could end with it.
        await channel.DisposeAsync();
        await pod.AdvanceUntilAsync(pod.Container.Ended);
        Assert.Equal(["poweroff", "terminate", "kill"], pod.Run.Calls);
        Assert.Equal(137, pod.Container.Record.ExitCode);
        Assert.Contains("machine ended", pod.Container.Record.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_stop_of_the_container_alone_says_what_to_do(bool answersSignals)
    {
        await using GuestRig agent = Agent(answersSignals);
        await using ScriptedPod pod = await ScriptedPod.CreateAsync(await agent.ConnectAsync(), Token);
        pod.Follow(pod.OpenLog());

        var refused = await Assert.ThrowsAsync<PodException>(
            () => pod.AdvanceUntilAsync(pod.Containers.StopAsync(pod.Container.Id, TimeSpan.FromSeconds(3), Token)));

        Assert.Equal(PodFault.TimedOut, refused.Fault);
        Assert.Contains("stop its pod", refused.Message, StringComparison.Ordinal);
    }

    /// <summary>Containers never end and write nothing; signals are taken and do nothing, or are never answered.</summary>
    private static GuestRig Agent(bool answersSignals) => new(methods =>
    {
        methods.Register(
            GuestMethods.SignalContainer, static () => GuestJson.Default.SignalRequest, static () => GuestJson.Default.Empty,
            async (_, _, token) =>
            {
                await Task.Delay(answersSignals ? TimeSpan.Zero : Timeout.InfiniteTimeSpan, token);
                return new Empty();
            });
        methods.Register(
            GuestMethods.WaitContainer, static () => GuestJson.Default.ContainerReference, static () => GuestJson.Default.ContainerReport, NeverAsync<ContainerReference, ContainerReport>);
        methods.Register(
            GuestMethods.ContainerOutput, static () => GuestJson.Default.OutputRequest, static () => GuestJson.Default.OutputResult, NeverAsync<OutputRequest, OutputResult>);
    });

    private static async Task<TResult> NeverAsync<TRequest, TResult>(AgentCall call, TRequest request, CancellationToken cancellationToken)
    {
        await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
        throw new OperationCanceledException(cancellationToken);
    }
}
