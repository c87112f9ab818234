using Grpc.Core;
using Vks.Bench.Arms;
using Vks.Bench.Host;
using Vks.Bench.Results;
using Vks.Spherelet.Cri.V1;

namespace Vks.Bench.Sections;

/// <summary>Pods that stay and do nothing: how the next start goes beside them, what memory and processor time they cost.</summary>
internal sealed class IdleSection : ISection
{
    /// <summary>More than a pod takes of the host's memory, MiB.</summary>
    private const int PodMiB = 128;

    // The pod's own process, by its name: with a PID namespace of the pod's, process 1 is whatever holds that.
    private static readonly string[] s_readMemory =
        ["sh", "-c", "for p in /proc/[0-9]*; do read -r name < $p/comm && [ \"$name\" = sleep ] && cat $p/smaps_rollup $p/status && break; done"];

    /// <inheritdoc/>
    public string Name => Measures.Idle;

    /// <inheritdoc/>
    public string Title => "idle pods";

    /// <inheritdoc/>
    public int CountSteps(BenchContext context) => context.Plan.IdlePods[^1] * context.KindsOfPods.Count;

    /// <inheritdoc/>
    public async Task RunAsync(BenchContext context, CancellationToken cancellationToken)
    {
        foreach (Arm arm in context.KindsOfPods)
        {
            List<BenchPod> pods = [];
            try
            {
                await MeasureAsync(context, arm, pods, cancellationToken);
            }
            catch (Exception problem) when (problem is RpcException or TimeoutException && !cancellationToken.IsCancellationRequested)
            {
                context.Recorder.Fail(Name, arm.Name, FormattableString.Invariant($"pod {pods.Count}: {problem.Message}"));
            }
            finally
            {
                foreach (BenchPod pod in pods)
                {
                    await pod.DisposeAsync();
                }
            }
        }
    }

    private async Task MeasureAsync(BenchContext context, Arm arm, List<BenchPod> pods, CancellationToken cancellationToken)
    {
        void Add(string measure, string unit, double sample) => context.Recorder.Add(Name, measure, arm.Name, unit, sample);

        await Task.Delay(context.Plan.IdleTime, cancellationToken);
        double availableBefore = Memory.AvailableMiB();
        using TouchedMemory touched = new(Math.Min(availableBefore / 2, PodMiB * context.Plan.IdlePods[^1]));
        Add("daemon RSS, no pod", "MiB", Memory.ResidentMiB(arm.ManagementProcesses(ProcessTable.Read())));
        foreach (int count in context.Plan.IdlePods)
        {
            while (pods.Count < count)
            {
                touched.Release(PodMiB);
                pods.Add(new BenchPod(arm, context.Registry.Image));
                Add(Measures.StartBeside, "ms", (await pods[^1].StartWholeAsync(cancellationToken)).Sum);
                context.Step();
            }

            await Task.Delay(context.Plan.IdleTime, cancellationToken);
            TimeSpan busyBefore = Memory.ProcessorTime(arm.DaemonPid);
            await Task.Delay(context.Plan.IdleTime, cancellationToken);
            TimeSpan busy = Memory.ProcessorTime(arm.DaemonPid) - busyBefore;
            double available = Memory.AvailableMiB() + touched.MiB;
            ProcessTable table = ProcessTable.Read();
            Add(Measures.AvailablePerPod(count), "MiB", (availableBefore - available) / count);
            Add(Measures.ProportionalPerPod(count), "MiB", Memory.ProportionalMiB(arm.PodProcesses(table)) / count);
            Add(Measures.DaemonMemory(count), "MiB", Memory.ResidentMiB(arm.ManagementProcesses(table)));
            Add(FormattableString.Invariant($"daemon CPU, {count} pods"), "%", 100 * busy / context.Plan.IdleTime);
        }

        // Page by page where the kernel counts so; VmRSS alone lags behind by as much as a small process has.
        (_, ExecSyncResponse reply) = await pods[0].ExecAsync(s_readMemory, cancellationToken);
        string words = reply.Stdout.ToStringUtf8();
        double resident = Memory.ParseKiB(words, "Rss:");
        Add(Measures.OwnMemory, "MiB", (resident > 0 ? resident : Memory.ParseKiB(words, "VmRSS:")) / 1024);
    }
}
