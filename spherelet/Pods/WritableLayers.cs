using Vks.Runtime.Machines;

namespace Vks.Spherelet.Pods;

/// <summary>The disks that containers write to.</summary>
internal sealed class WritableLayers(CrxEngine engine)
{
    /// <summary>What they take of their file system now.</summary>
    public Task<ScratchUsage> MeasureAsync(CancellationToken cancellationToken) => Task.Run(engine.MeasureScratch, cancellationToken);
}
