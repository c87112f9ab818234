using Vks.Spherelet.Images;

namespace Vks.Spherelet.Pods;

/// <summary>The images of all containers, in whatever state, and of their image volumes.</summary>
internal sealed class PodImageUsers(PodTable table) : IImageUsers
{
    /// <inheritdoc/>
    public Func<string, bool> Snapshot()
    {
        HashSet<string> serials = [.. table.Containers.Values.SelectMany(static container => container.Record.Disks)];
        return imageId => serials.Contains(ContainerPlan.DiskSerial(imageId));
    }
}
