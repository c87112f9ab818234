using Grpc.Core;
using Vks.Bench.Arms;
using Vks.Bench.Results;

namespace Vks.Bench.Sections;

/// <summary>Pods one after another, arm after arm in turn: every call of a pod's life.</summary>
internal sealed class SerialSection : ISection
{
    /// <summary>Stages of a machine's start that lie before QEMU is executed.</summary>
    private static readonly string[] s_beforeExec = ["files", "launch"];

    /// <summary>Execs of each pod after its first.</summary>
    private const int ExecsAgain = 4;

    /// <inheritdoc/>
    public string Name => Measures.Serial;

    /// <inheritdoc/>
    public string Title => "pods one after another";

    /// <inheritdoc/>
    public int CountSteps(BenchContext context) => context.Plan.SerialPods * context.Arms.Count;

    /// <inheritdoc/>
    public async Task RunAsync(BenchContext context, CancellationToken cancellationToken)
    {
        for (int round = 0; round < context.Plan.SerialPods; round++)
        {
            foreach (Arm arm in context.InTurn(round))
            {
                try
                {
                    await MeasureAsync(context, arm, cancellationToken);
                }
                catch (Exception problem) when (problem is RpcException or TimeoutException && !cancellationToken.IsCancellationRequested)
                {
                    context.Recorder.Fail(Name, arm.Name, problem.Message);
                }

                context.Step();
            }
        }
    }

    private async Task MeasureAsync(BenchContext context, Arm arm, CancellationToken cancellationToken)
    {
        await using BenchPod pod = new(arm, context.Registry.Image);
        PodTimes times = await pod.StartWholeAsync(cancellationToken);
        (double exec, _) = await pod.ExecAsync(["true"], cancellationToken);
        double[] again = new double[ExecsAgain];
        for (int time = 0; time < again.Length; time++)
        {
            (again[time], _) = await pod.ExecAsync(["true"], cancellationToken);
        }

        MachineStart machine = await pod.ReadMachineAsync(cancellationToken);
        double stop = await pod.StopAsync(cancellationToken);
        double remove = await pod.RemoveAsync(cancellationToken);
        if (arm is SphereletArm { HasPool: true } pool)
        {
            // The next arm is measured on a host that does nothing else; what the pool does meanwhile stands in a row of its own.
            (double elapsed, double memory) = await pool.WaitForPoolAsync(cancellationToken);
            context.Recorder.Add(Name, Measures.Refill, arm.Name, "ms", elapsed);
            context.Recorder.Add(Name, "memory of the pool", arm.Name, "MiB", memory);
        }

        void Add(string measure, double milliseconds) => context.Recorder.Add(Name, measure, arm.Name, "ms", milliseconds);
        Add("RunPodSandbox", times.Run);
        Add("CreateContainer", times.Create);
        Add("StartContainer", times.Start);
        Add(Measures.Sum, times.Sum);
        Add(Measures.FirstByte, times.FirstByte);
        Add(Measures.Exec, exec);
        Array.ForEach(again, elapsed => Add(Measures.ExecAgain, elapsed));
        Add("StopPodSandbox", stop);
        Add("RemovePodSandbox", remove);
        if (!machine.IsAsNamed(arm.Name))
        {
            // Its times stay, since users would wait for them too; its stages are not those of the arm's machines.
            context.Recorder.Fail(Name, arm.Name, "a pod is not as the arm is named: " + machine.Words);
            return;
        }

        foreach ((string stage, double elapsed) in machine.Stages)
        {
            Add($"stage: {stage}", elapsed);
        }

        if (machine.Stages.Count > 0)
        {
            Add(Measures.ToAgent, machine.Stages.Where(static stage => !s_beforeExec.Contains(stage.Key)).Sum(static stage => stage.Value));
        }
    }
}
