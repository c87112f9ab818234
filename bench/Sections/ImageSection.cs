using System.Diagnostics;
using Grpc.Core;
using Vks.Bench.Arms;
using Vks.Bench.Results;
using Vks.Spherelet.Cri.V1;

namespace Vks.Bench.Sections;

/// <summary>Images: from a registry on this machine to what a container can start from, download and disk building together.</summary>
internal sealed class ImageSection : ISection
{
    /// <inheritdoc/>
    public string Name => Measures.Image;

    /// <inheritdoc/>
    public string Title => "pulling an image";

    /// <inheritdoc/>
    public int CountSteps(BenchContext context) => context.Plan.Pulls * context.KindsOfPods.Count;

    /// <inheritdoc/>
    public async Task RunAsync(BenchContext context, CancellationToken cancellationToken)
    {
        ImageSpec image = new() { Image = context.Registry.DataImage };
        for (int round = 0; round < context.Plan.Pulls; round++)
        {
            foreach (Arm arm in context.InTurn(round))
            {
                try
                {
                    long begin = Stopwatch.GetTimestamp();
                    await arm.Cri.Images.PullImageAsync(new PullImageRequest { Image = image }, cancellationToken: cancellationToken);
                    context.Recorder.Add(
                        Name, FormattableString.Invariant($"PullImage of {BenchRegistry.DataMiB} MiB"), arm.Name, "ms", Stopwatch.GetElapsedTime(begin).TotalMilliseconds);
                    begin = Stopwatch.GetTimestamp();
                    await arm.Cri.Images.RemoveImageAsync(new RemoveImageRequest { Image = image }, cancellationToken: cancellationToken);
                    context.Recorder.Add(Name, "RemoveImage", arm.Name, "ms", Stopwatch.GetElapsedTime(begin).TotalMilliseconds);
                }
                catch (RpcException problem) when (!cancellationToken.IsCancellationRequested)
                {
                    context.Recorder.Fail(Name, arm.Name, problem.Message);
                }

                context.Step();
            }
        }
    }
}
