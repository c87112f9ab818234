using Vks.Runtime.Machines;
using Vks.Spherelet.Images;

namespace Vks.Spherelet.Pods;

/// <summary>The disks that containers write to.</summary>
internal sealed class WritableLayers(CrxEngine engine, IImageStore images)
{
    private string? _directory;

    /// <summary>A directory on their file system: the images' one if both are on one, since by two names a kubelet would take it for two.</summary>
    public string Directory => _directory ??= StoreSpace.Together(images.Directory, engine.ScratchDirectory) ? images.Directory : engine.ScratchDirectory;

    /// <summary>What they take of their file system now.</summary>
    public Task<ScratchUsage> MeasureAsync(CancellationToken cancellationToken) => Task.Run(engine.MeasureScratch, cancellationToken);
}
