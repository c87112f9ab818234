using Vks.Bench.Arms;
using Vks.Bench.Results;

namespace Vks.Bench.Sections;

/// <summary>Bare boots, no pod: from exec of QEMU to the first line that PID 1 writes, by the host's clock, our kernel and Debian's in turn.</summary>
internal sealed class BootSection : ISection
{
    /// <inheritdoc/>
    public string Name => Measures.Boot;

    /// <inheritdoc/>
    public string Title => "boots, exec to PID 1";

    /// <inheritdoc/>
    public int CountSteps(BenchContext context) => context.Plan.Boots * (context.StockKernel is null ? 2 : 5);

    /// <inheritdoc/>
    public async Task RunAsync(BenchContext context, CancellationToken cancellationToken)
    {
        string folder = Path.Combine(context.Directory, "boot");
        Directory.CreateDirectory(folder);
        string tiny = Path.Combine(folder, "tiny.cpio");
        string whole = Path.Combine(folder, "whole.cpio");
        byte[] init = TinyProgram.Build(BootMark.Text + "\n");
        await TinyInitramfs.WriteAsync(tiny, init, below: null, cancellationToken);
        await TinyInitramfs.WriteAsync(whole, init, context.Files.Initramfs, cancellationToken);
        List<(string Arm, Func<Task<double>> Boot)> boots =
        [
            (ArmNames.Ours, () => OwnBoot.RunAsync(folder, context.Files.Kernel, whole, context.IsKvm, cancellationToken)),
            (ArmNames.OursTiny, () => OwnBoot.RunAsync(folder, context.Files.Kernel, tiny, context.IsKvm, cancellationToken)),
        ];
        if (context.StockKernel is { } kernel)
        {
            boots.Add((ArmNames.StockPc, () => StockBoot.RunAsync(folder, "pc", kernel, tiny, context.IsKvm, cancellationToken)));
            boots.Add((ArmNames.StockQ35, () => StockBoot.RunAsync(folder, "q35", kernel, tiny, context.IsKvm, cancellationToken)));
            boots.Add((ArmNames.StockMicrovm, () => StockBoot.RunAsync(folder, "microvm", kernel, tiny, context.IsKvm, cancellationToken)));
        }
        else
        {
            context.Recorder.Fail(Name, ArmNames.StockPc, "no stock kernel was given (--stock-kernel)");
        }

        for (int round = 0; round < context.Plan.Boots; round++)
        {
            for (int turn = 0; turn < boots.Count; turn++)
            {
                (string arm, Func<Task<double>> boot) = boots[(turn + round) % boots.Count];
                try
                {
                    context.Recorder.Add(Name, Measures.ToInit, arm, "ms", await boot());
                }
                catch (BenchException problem)
                {
                    context.Recorder.Fail(Name, arm, problem.Message);
                }

                context.Step();
            }
        }
    }
}
