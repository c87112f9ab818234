using Grpc.Core;
using Vks.Bench.Arms;
using Vks.Bench.Host;
using Vks.Bench.Results;

namespace Vks.Bench.Sections;

/// <summary>Pods made and removed many times over: processes, namespaces, mounts, sockets, control groups, files, links and descriptors that stay are counted.</summary>
internal sealed class LeakSection : ISection
{
    /// <inheritdoc/>
    public string Name => Measures.Leak;

    /// <inheritdoc/>
    public string Title => "cycles, then what is left";

    /// <inheritdoc/>
    public int CountSteps(BenchContext context) => ArmsOf(context).Count * context.Plan.LeakCycles;

    /// <inheritdoc/>
    public async Task RunAsync(BenchContext context, CancellationToken cancellationToken)
    {
        foreach (Arm arm in ArmsOf(context))
        {
            Footprint before = arm.TakeFootprint();
            for (int cycle = 0; cycle < context.Plan.LeakCycles; cycle++)
            {
                try
                {
                    await using BenchPod pod = new(arm, context.Registry.Image);
                    await pod.StartWholeAsync(cancellationToken);
                }
                catch (Exception problem) when (problem is RpcException or TimeoutException && !cancellationToken.IsCancellationRequested)
                {
                    context.Recorder.Fail(Name, arm.Name, problem.Message);
                }

                context.Step();
            }

            IReadOnlyList<string> left = await before.SettleAsync(arm.TakeFootprint, cancellationToken);
            context.Recorder.Add(Name, Measures.Left, arm.Name, "count", left.Count);
            foreach (string thing in left)
            {
                context.Recorder.Fail(Name, arm.Name, thing);
            }
        }
    }

    /// <summary>What users get is what must not leak: clones where they are.</summary>
    private static List<Arm> ArmsOf(BenchContext context) =>
        [.. context.Arms.Where(static arm => arm.IsOurs).OrderBy(static arm => arm.Name == ArmNames.Clone ? 0 : 1).Take(1)];
}
