using Grpc.Core;
using Tmds.Linux;
using Vks.Bench.Arms;
using Vks.Bench.Results;
using Vks.Runtime.Host;

namespace Vks.Bench.Sections;

/// <summary>Boots beside four busy loops: a guest that waits for the processor must still come up, every time.</summary>
internal sealed class LoadSection : ISection
{
    private const int BusyLoops = 4;

    /// <inheritdoc/>
    public string Name => Measures.Load;

    /// <inheritdoc/>
    public string Title => "boots beside four busy loops";

    /// <inheritdoc/>
    public int CountSteps(BenchContext context) => ArmsOf(context).Count() * context.Plan.LoadBoots;

    /// <inheritdoc/>
    public async Task RunAsync(BenchContext context, CancellationToken cancellationToken)
    {
        List<ChildProcess> loops = [];
        try
        {
            for (int loop = 0; loop < BusyLoops; loop++)
            {
                loops.Add(await ChildProcess.StartAsync(new ChildSettings { Program = "/bin/sh", Arguments = ["-c", "while :; do :; done"] }));
            }

            for (int boot = 0; boot < context.Plan.LoadBoots; boot++)
            {
                foreach (Arm arm in ArmsOf(context))
                {
                    await BootAsync(context, arm, cancellationToken);
                    context.Step();
                }
            }
        }
        finally
        {
            foreach (ChildProcess loop in loops)
            {
                loop.Process.Signal(LibC.SIGKILL);
                await loop.Process.Exited;
                loop.Dispose();
            }
        }
    }

    private async Task BootAsync(BenchContext context, Arm arm, CancellationToken cancellationToken)
    {
        try
        {
            await using BenchPod pod = new(arm, context.Registry.Image);
            double elapsed = await pod.RunAsync(cancellationToken);
            context.Recorder.Add(Name, Measures.Succeeded, arm.Name, "count", 1);
            context.Recorder.Add(Name, "RunPodSandbox", arm.Name, "ms", elapsed);
        }
        catch (RpcException problem) when (!cancellationToken.IsCancellationRequested)
        {
            context.Recorder.Add(Name, Measures.Succeeded, arm.Name, "count", 0);
            context.Recorder.Fail(Name, arm.Name, problem.Message);
        }
    }

    private static IEnumerable<Arm> ArmsOf(BenchContext context) => context.Arms.Where(static arm => arm.Name == ArmNames.Cold);
}
