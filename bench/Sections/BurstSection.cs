using System.Diagnostics;
using Grpc.Core;
using Vks.Bench.Arms;
using Vks.Bench.Results;

namespace Vks.Bench.Sections;

/// <summary>Many pods at once: how long each takes, and how many come up in a second.</summary>
internal sealed class BurstSection : ISection
{
    /// <inheritdoc/>
    public string Name => Measures.Burst;

    /// <inheritdoc/>
    public string Title => "pods at once";

    /// <inheritdoc/>
    public int CountSteps(BenchContext context) => context.Plan.BurstSizes.Sum() * context.Plan.BurstRounds * context.Arms.Count;

    /// <inheritdoc/>
    public async Task RunAsync(BenchContext context, CancellationToken cancellationToken)
    {
        foreach (int size in context.Plan.BurstSizes)
        {
            for (int round = 0; round < context.Plan.BurstRounds; round++)
            {
                foreach (Arm arm in context.InTurn(round))
                {
                    await MeasureAsync(context, arm, size, cancellationToken);
                }
            }
        }
    }

    private async Task MeasureAsync(BenchContext context, Arm arm, int size, CancellationToken cancellationToken)
    {
        BenchPod[] pods = [.. Enumerable.Range(0, size).Select(_ => new BenchPod(arm, context.Registry.Image))];
        try
        {
            long begin = Stopwatch.GetTimestamp();
            bool[] came = await Task.WhenAll(pods.Select(pod => StartAsync(context, arm, pod, size, cancellationToken)));
            double seconds = Stopwatch.GetElapsedTime(begin).TotalSeconds;
            context.Recorder.Add(Name, FormattableString.Invariant($"pods a second, {size} at once"), arm.Name, "pods/s", came.Count(static one => one) / seconds);
        }
        finally
        {
            await Task.WhenAll(pods.Select(pod => EndAsync(context, arm, pod)));
        }
    }

    private async Task<bool> StartAsync(BenchContext context, Arm arm, BenchPod pod, int size, CancellationToken cancellationToken)
    {
        try
        {
            PodTimes times = await pod.StartWholeAsync(cancellationToken);
            context.Recorder.Add(Name, FormattableString.Invariant($"{Measures.FirstByte}, {size} at once"), arm.Name, "ms", times.FirstByte);
            return true;
        }
        catch (Exception problem) when (problem is RpcException or TimeoutException && !cancellationToken.IsCancellationRequested)
        {
            context.Recorder.Fail(Name, arm.Name, FormattableString.Invariant($"one of {size} at once: {problem.Message}"));
            return false;
        }
        finally
        {
            context.Step();
        }
    }

    private async Task EndAsync(BenchContext context, Arm arm, BenchPod pod)
    {
        try
        {
            await pod.DisposeAsync();
        }
        catch (RpcException problem)
        {
            context.Recorder.Fail(Name, arm.Name, $"removing a pod: {problem.Message}");
        }
    }
}
