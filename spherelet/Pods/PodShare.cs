using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Host;
using Vks.Runtime.Machines;

namespace Vks.Spherelet.Pods;

/// <summary>Host paths that containers mount: each shows below the pod's shared directory, which the guest sees over virtio-9p.</summary>
/// <remarks>
/// On the host that directory holds empty folders and files. What they stand for is mounted over them where the machine's QEMU alone sees it.
/// What several containers mount is there once: a guest knows two paths for two files, and then locks, mappings and watches of one container
/// would mean nothing to the other.
/// The guest sees one file system without mounts, so a mount that is read-only there is so with all below. Where the host has more
/// mounted below a path that is read-only itself only, each of those mounts is named to the guest too, writable, in its place.
/// </remarks>
internal sealed partial class PodShare(PodStore store, ILogger<PodShare> logger)
{
    /// <summary>The virtio-9p tag of the shared directory.</summary>
    public const string Tag = "vks";

    /// <summary>Makes the pod's shared directory. Undo with <see cref="ReleasePodAsync"/>.</summary>
    /// <returns>The directory.</returns>
    public string Prepare(string podId) => Directory.CreateDirectory(store.ShareDirectory(podId)).FullName;

    /// <summary>Binds a container's host paths. On failure nothing of the container is left bound.</summary>
    /// <param name="podId">The pod.</param>
    /// <param name="containerId">The container.</param>
    /// <param name="mounts">Those of its mounts that have a host path. All that map ids map them the same way.</param>
    /// <param name="qemuPid">The process of the machine's QEMU.</param>
    /// <param name="cancellationToken">Ends the work and undoes it.</param>
    /// <returns>What the guest is told of each, in the same order; the first of each is the path itself.</returns>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>: a path is missing, or neither file nor directory. <see cref="PodFault.HostFailed"/>: the kernel refused.</exception>
    public async Task<IReadOnlyList<IReadOnlyList<MountSpec>>> BindAsync(
        string podId, string containerId, IReadOnlyList<ContainerMount> mounts, int qemuPid, CancellationToken cancellationToken)
    {
        using SafeFileHandle? userNamespace = mounts.FirstOrDefault(mount => mount.IdMap is not null)?.IdMap is { } map
            ? await IdMapNamespace.OpenAsync(map, IdMapNamespace.UserOf(qemuPid), cancellationToken)
            : null;
        try
        {
            var specs = new List<IReadOnlyList<MountSpec>>(mounts.Count);
            foreach (ContainerMount mount in mounts)
            {
                string name = specs.Count.ToString(CultureInfo.InvariantCulture);

                // On a thread of the pool: a path of a network file system may take its time.
                specs.Add(await Task.Run(() => BindAsync(podId, containerId, mount, name, qemuPid, userNamespace), cancellationToken).WaitAsync(cancellationToken));
            }

            return specs;
        }
        catch (Exception)
        {
            await ReleaseContainerAsync(podId, containerId, qemuPid, CancellationToken.None);
            throw;
        }
    }

    /// <summary>Unbinds all of a container. Nothing bound is no error.</summary>
    /// <param name="podId">The pod.</param>
    /// <param name="containerId">The container.</param>
    /// <param name="qemuPid">The process of the machine's QEMU, or 0 when it has ended, and all mounts with it.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="PodException"><see cref="PodFault.HostFailed"/>: the kernel refused.</exception>
    public async Task ReleaseContainerAsync(string podId, string containerId, int qemuPid, CancellationToken cancellationToken)
    {
        await ReleaseAsync(podId, containerId, qemuPid, cancellationToken);
        string all = store.ShareUsersDirectory(podId);
        if (!Directory.Exists(all))
        {
            return;
        }

        foreach (string users in Directory.GetDirectories(all))
        {
            string mine = Path.Combine(users, containerId);
            if (!File.Exists(mine))
            {
                continue;
            }

            // The file goes last: a daemon that ends in between tries again.
            if (Directory.GetFiles(users) is [_])
            {
                await ReleaseAsync(podId, Path.GetFileName(users), qemuPid, cancellationToken);
                Directory.Delete(users, recursive: true);
            }
            else
            {
                File.Delete(mine);
            }
        }

        if (!Directory.EnumerateFileSystemEntries(all).Any())
        {
            Directory.Delete(all);
        }
    }

    /// <summary>Removes the shared directory of a pod whose machine has ended. None is no error.</summary>
    public Task ReleasePodAsync(string podId, CancellationToken cancellationToken) =>
        Task.Run(() => Release(store.ShareDirectory(podId)), cancellationToken);

    /// <summary>Unmounts and deletes one file or folder of the share, with all below it.</summary>
    private async Task ReleaseAsync(string podId, string name, int qemuPid, CancellationToken cancellationToken)
    {
        string path = Path.Combine(store.ShareDirectory(podId), name);
        if (qemuPid != 0 && Path.Exists(path))
        {
            try
            {
                await ShareMounts.DetachAsync(qemuPid, name).WaitAsync(cancellationToken);
            }
            catch (HostException cause)
            {
                throw Refused(path, "released", cause);
            }
        }

        await Task.Run(() => Release(path), cancellationToken);
    }

    /// <summary>Notes that a container uses what several may share.</summary>
    /// <returns>Whether somebody does already.</returns>
    private bool NoteUser(string podId, string name, string containerId)
    {
        string users = Directory.CreateDirectory(Path.Combine(store.ShareUsersDirectory(podId), name)).FullName;
        bool used = Directory.EnumerateFiles(users).Any();
        File.Create(Path.Combine(users, containerId)).Dispose();
        return used;
    }

    /// <summary>The name in the share of a path that several containers may have; null when nobody else is to have it.</summary>
    private static string? SharedName(ContainerMount mount, BindMount bind) => bind.TellApart() is { } what
        ? "shared-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{what}\0{mount.FollowsHost}\0{mount.IdMap is not null}")))[..20]
        : null;

    private async Task<IReadOnlyList<MountSpec>> BindAsync(
        string podId, string containerId, ContainerMount mount, string name, int qemuPid, SafeFileHandle? userNamespace)
    {
        using BindMount bind = Take(mount);
        if (!bind.IsFolder && !bind.IsFile)
        {
            throw Invalid(mount, "is neither a file nor a directory; only those can be shared with a machine");
        }

        string? shared = SharedName(mount, bind);
        string source = shared ?? $"{containerId}/{name}";
        if (shared is not null && NoteUser(podId, shared, containerId))
        {
            return [.. Specs(mount, source, [])];
        }

        string target = Path.Combine(store.ShareDirectory(podId), source);
        Directory.CreateDirectory(bind.IsFolder ? target : Path.GetDirectoryName(target)!);
        if (bind.IsFile)
        {
            File.Create(target).Dispose();
        }

        try
        {
            if (mount.IdMap is not null)
            {
                bind.MapIds(userNamespace!);
            }

            return [.. Specs(mount, source, await ShareMounts.AttachAsync(qemuPid, bind, source))];
        }
        catch (HostException cause)
        {
            throw Refused(mount.HostPath, "bound", cause);
        }
    }

    /// <summary>What the guest is told of one path. Pure.</summary>
    /// <param name="mount">The mount.</param>
    /// <param name="source">Where it lies below the share.</param>
    /// <param name="below">What else is mounted below it, relative, in the order it was mounted.</param>
    internal static IEnumerable<MountSpec> Specs(ContainerMount mount, string source, IEnumerable<string> below)
    {
        yield return Spec(source, mount.ContainerPath, mount.ReadOnly);
        if (!mount.ReadOnly || mount.RecursiveReadOnly)
        {
            yield break;
        }

        foreach (string path in below.Distinct().Order(StringComparer.Ordinal))
        {
            yield return Spec($"{source}/{path}", $"{mount.ContainerPath.TrimEnd('/')}/{path}", readOnly: false);
        }

        static MountSpec Spec(string source, string destination, bool readOnly) => new()
        {
            Kind = MountSource.Share,
            Source = source,
            Destination = destination,
            Options = ["rbind", readOnly ? "ro" : "rw"],
        };
    }

    private static BindMount Take(ContainerMount mount)
    {
        try
        {
            return BindMount.Take(mount.HostPath, mount.FollowsHost);
        }
        catch (HostException cause) when (cause.ErrnoName is "ENOENT" or "ENOTDIR" or "ELOOP" or "ENAMETOOLONG")
        {
            throw Invalid(mount, $"is not there ({cause.ErrnoName})");
        }
        catch (HostException cause)
        {
            throw Refused(mount.HostPath, "bound", cause);
        }
    }

    private void Release(string directory)
    {
        if (File.Exists(directory))
        {
            File.Delete(directory);
            return;
        }

        if (!Directory.Exists(directory))
        {
            return;
        }

        if (MountTable.Below(directory) is [string mounted, ..])
        {
            // Deleting now would delete what is mounted.
            throw new PodException(PodFault.HostFailed, directory, $"'{mounted}' is a mount of this host, which the daemon did not make; unmount it by hand, then try again.");
        }

        Directory.Delete(directory, recursive: true);
        ShareReleased(directory);
    }

    private static PodException Invalid(ContainerMount mount, string rule) =>
        new(PodFault.InvalidConfig, mount.HostPath, $"Host path '{mount.HostPath}' for '{mount.ContainerPath}' {rule}.");

    private static PodException Refused(string path, string what, HostException cause) =>
        new(PodFault.HostFailed, path, $"'{path}' could not be {what}: {cause.Message}", cause);

    [LoggerMessage(3120, LogLevel.Debug, "Released the share {Directory}")]
    private partial void ShareReleased(string directory);
}
