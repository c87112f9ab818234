using Vks.Spherelet.Cri.V1;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>Nothing adds up over many pods.</summary>
[Collection(NodeCollection.Name)]
public sealed class CycleTests(NodeLab lab)
{
    private const int Cycles = 100;
    private const int AtOnce = 2;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_hundred_cycles_of_run_exec_stop_remove_leave_nothing()
    {
        await CycleAsync();
        LeakCheck before = lab.TakeLeakCheck();

        await Parallel.ForEachAsync(Enumerable.Range(0, Cycles), new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = Token }, async (_, _) => await CycleAsync());

        LeakCheck after = await LeakCheck.SettleAsync(lab.TakeLeakCheck, before, Token);
        Assert.Empty(before.Differences(after));
        Assert.True(after.DaemonDescriptors <= before.DaemonDescriptors + 8,
            $"descriptors of the daemon went from {before.DaemonDescriptors} to {after.DaemonDescriptors}");
        Assert.Empty((await lab.Cri.Runtime.ListPodSandboxAsync(new ListPodSandboxRequest(), cancellationToken: Token)).Items);
    }

    private async Task CycleAsync()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sleep", "1000");
        Assert.Equal("hello\n", await pod.ExecAsync(container, Token, "echo", "hello"));
    }
}
