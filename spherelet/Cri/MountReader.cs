using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

/// <summary>Reads what a container asks to see of the host and of images.</summary>
internal static class MountReader
{
    /// <summary>Reads one mount.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>, naming the mount.</exception>
    public static ContainerMount Read(V1.Mount mount)
    {
        string containerPath = PathRules.Absolute(mount.ContainerPath, "mounts.container_path");
        if (containerPath.Trim('/').Length == 0)
        {
            throw Invalid(mount, "is mounted over the whole container");
        }

        if (mount.MountOptions.Count > 0)
        {
            throw Invalid(mount, "has mount_options, which is not supported and not announced in Status");
        }

        return mount.Image is { Image.Length: > 0 } ? Image(mount, containerPath) : HostPath(mount, containerPath);
    }

    private static ContainerMount Image(V1.Mount mount, string containerPath)
    {
        if (mount.HostPath.Length > 0)
        {
            throw Invalid(mount, "has both host_path and image; only one of them can be");
        }

        if (!mount.Readonly)
        {
            throw Invalid(mount, "is an image and not readonly; images can be read only");
        }

        return new ContainerMount
        {
            ContainerPath = containerPath,
            Image = mount.Image.Image,
            ImageSubPath = mount.ImageSubPath.Length == 0 ? "" : PathRules.Relative(mount.ImageSubPath, "mounts.image_sub_path"),
            ReadOnly = true,
        };
    }

    private static ContainerMount HostPath(V1.Mount mount, string containerPath)
    {
        if (mount.ImageSubPath.Length > 0)
        {
            throw Invalid(mount, "has image_sub_path but no image");
        }

        if (mount.RecursiveReadOnly && (!mount.Readonly || mount.Propagation != V1.MountPropagation.PropagationPrivate))
        {
            throw Invalid(mount, "is recursive_read_only, which needs readonly and private propagation");
        }

        return new ContainerMount
        {
            ContainerPath = containerPath,
            HostPath = PathRules.Absolute(mount.HostPath, "mounts.host_path"),
            ReadOnly = mount.Readonly,
            RecursiveReadOnly = mount.RecursiveReadOnly,
            SelinuxRelabel = mount.SelinuxRelabel,
            IdMap = UserNamespaceReader.Read(mount),
            FollowsHost = mount.Propagation switch
            {
                V1.MountPropagation.PropagationPrivate => false,
                V1.MountPropagation.PropagationHostToContainer => true,
                V1.MountPropagation.PropagationBidirectional =>
                    throw Invalid(mount, "has bidirectional propagation: what a machine mounts cannot show on its host"),
                _ => throw Invalid(mount, $"has propagation {(int)mount.Propagation}, which is no known one"),
            },
        };
    }

    private static PodException Invalid(V1.Mount mount, string rule) =>
        new(PodFault.InvalidConfig, mount.ContainerPath, $"mounts '{mount.ContainerPath}' {rule}.");
}
