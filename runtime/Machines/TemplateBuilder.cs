using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Host;
using Vks.Runtime.Qemu;
using Vks.Runtime.Templates;

namespace Vks.Runtime.Machines;

/// <summary>Makes a template: boots a machine of its shape, rehearses and warms it, saves it. A daemon that is killed meanwhile leaves an unfinished machine, which the next one clears away.</summary>
internal sealed class TemplateBuilder(CrxEngineOptions options, TemplateBuilder.Boot boot, ITemplateRehearsal? rehearsal, TemplateStore store, TimeProvider time)
{
    /// <summary>Nobody waits for it, and on a busy host a boot takes several times as long: better late than given up.</summary>
    private const int Patience = 6;

    private static readonly TimeSpan EndTime = TimeSpan.FromSeconds(5);

    /// <summary>Boots a machine as planned.</summary>
    internal delegate Task<CrxRun> Boot(MachineSpec spec, ConsoleLog console, BootPlan plan, CancellationToken cancellationToken);

    /// <summary>The machine that becomes a template of that shape.</summary>
    internal static MachineSpec SpecOf(TemplateShape shape) => new()
    {
        Id = MachineId.Parse("template-" + RandomNumberGenerator.GetHexString(12, lowercase: true)),
        VcpuCount = shape.VcpuCount,
        MemoryMiB = shape.MemoryMiB,
        ScratchMiB = shape.ScratchMiB,
        Network = shape.HasNetwork ? new NetworkAttachment("", "vks-template", GuestSettings.TemplateMac, GuestSettings.TemplateMtu) : null,
        SharedDirectory = shape.HasShare ? "" : null,
    };

    /// <summary>Makes it; on failure nothing is left.</summary>
    /// <exception cref="MachineException">The machine did not boot.</exception>
    internal async Task BuildAsync(TemplateKey key, QemuAccelerator accelerator, CancellationToken cancellationToken)
    {
        MachineSpec spec = SpecOf(key.Shape);
        var files = new MachineFiles(options, spec.Id);
        using SafeFileHandle memory = MemoryFile.Create("vks-template");
        using SafeFileHandle state = MemoryFile.Create("vks-template-state");
        RandomAccess.SetLength(memory, key.Shape.MemoryMiB * 1024L * 1024);
        var plan = new BootPlan(accelerator, options.BootTimeout * Patience, Tries: 2) { SaveTo = memory };
        CrxRun run = await boot(spec, new ConsoleLog(), plan, cancellationToken);
        try
        {
            if (rehearsal is not null)
            {
                await rehearsal.RunAsync(new TemplateGuest(run, key.Shape), cancellationToken);
            }

            await run.Guest.CallAsync(GuestMethods.WarmUp, new Empty(), GuestJson.Default.Empty, GuestJson.Default.Empty, cancellationToken);
            await run.SaveAsync(state, cancellationToken);
            await EndAsync(run);
            TemplateStore.Write(
                files.Template, key.Shape, new GuestImage(memory, state, key.Shape.ScratchMiB > 0 ? EmptyDisks.ReadBlocks(files.Scratch) : []), time.GetUtcNow(), cancellationToken);
            store.Publish(files.Template, key.Name);
        }
        finally
        {
            await EndAsync(run);
            await run.CleanAsync(CancellationToken.None);
        }
    }

    private async Task EndAsync(CrxRun run)
    {
        run.Kill();
        await run.Ended.WaitAsync(EndTime, time, CancellationToken.None);
    }
}
