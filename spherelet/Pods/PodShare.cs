using System.Globalization;
using CliWrap;
using CliWrap.Buffered;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Spherelet.Pods;

/// <summary>Host paths that containers mount: each is bound below the pod's shared directory, which the guest sees over virtio-9p.</summary>
internal sealed partial class PodShare(PodStore store, ILogger<PodShare> logger)
{
    /// <summary>The virtio-9p tag of the shared directory.</summary>
    public const string Tag = "vks";

    /// <summary>Makes the pod's shared directory, which QEMU holds open. Undo with <see cref="ReleasePodAsync"/>.</summary>
    /// <returns>The directory.</returns>
    public string Prepare(string podId) => Directory.CreateDirectory(store.ShareDirectory(podId)).FullName;

    /// <summary>Binds a container's host paths. On failure nothing of the container is left bound.</summary>
    /// <param name="podId">The pod.</param>
    /// <param name="containerId">The container.</param>
    /// <param name="mounts">Those of its mounts that have a host path.</param>
    /// <param name="cancellationToken">Ends the work and undoes it.</param>
    /// <returns>What the guest is told, in the same order.</returns>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>: a path is missing, or neither file nor directory. <see cref="PodFault.HostFailed"/>: mount(8) refused.</exception>
    public async Task<IReadOnlyList<MountSpec>> BindAsync(
        string podId, string containerId, IReadOnlyList<ContainerMount> mounts, CancellationToken cancellationToken)
    {
        var specs = new List<MountSpec>(mounts.Count);
        try
        {
            foreach (ContainerMount mount in mounts)
            {
                string name = specs.Count.ToString(CultureInfo.InvariantCulture);
                string target = Path.Combine(store.ContainerShareDirectory(podId, containerId), name);
                await MakeTargetAsync(mount, target, cancellationToken);

                // rslave: later mounts of the host show, and undoing ours never takes one of the host's away.
                await RunAsync("mount", ["--rbind", "--make-rslave", mount.HostPath, target], containerId, cancellationToken);
                specs.Add(new MountSpec
                {
                    Kind = MountSource.Share,
                    Source = $"{containerId}/{name}",
                    Destination = mount.ContainerPath,
                    Options = mount.ReadOnly ? ["rbind", "ro"] : ["rbind", "rw"],
                });
            }

            return specs;
        }
        catch (Exception)
        {
            await ReleaseAsync(store.ContainerShareDirectory(podId, containerId), CancellationToken.None);
            throw;
        }
    }

    /// <summary>Unbinds all of a container. Nothing bound is no error.</summary>
    public Task ReleaseContainerAsync(string podId, string containerId, CancellationToken cancellationToken) =>
        ReleaseAsync(store.ContainerShareDirectory(podId, containerId), cancellationToken);

    /// <summary>Unbinds all of a pod. Nothing bound is no error.</summary>
    public Task ReleasePodAsync(string podId, CancellationToken cancellationToken) =>
        ReleaseAsync(store.ShareDirectory(podId), cancellationToken);

    private static async Task MakeTargetAsync(ContainerMount mount, string target, CancellationToken cancellationToken)
    {
        BufferedCommandResult stat = await Cli.Wrap("stat")
            .WithArguments(["--dereference", "--format", "%F", mount.HostPath])
            .WithEnvironmentVariables(environment => environment.Set("LC_ALL", "C"))
            .WithValidation(CommandResultValidation.None)
            .ExecuteBufferedAsync(cancellationToken);
        string kind = stat.ExitCode == 0 ? stat.StandardOutput.Trim() : "nothing";
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        if (kind == "directory")
        {
            Directory.CreateDirectory(target);
        }
        else if (kind.StartsWith("regular", StringComparison.Ordinal))
        {
            await File.Create(target).DisposeAsync();
        }
        else
        {
            throw new PodException(
                PodFault.InvalidConfig,
                mount.HostPath,
                $"Host path '{mount.HostPath}' for '{mount.ContainerPath}' is {kind}; only files and directories can be shared with a machine.");
        }
    }

    private async Task ReleaseAsync(string directory, CancellationToken cancellationToken)
    {
        if (!Directory.Exists(directory))
        {
            return;
        }

        foreach (string mountPoint in HostMounts.Below(directory).Reverse())
        {
            // Lazy: a guest that still has a file open keeps only that file.
            await RunAsync("umount", ["--lazy", mountPoint], mountPoint, cancellationToken);
        }

        if (HostMounts.Below(directory).FirstOrDefault() is { } left)
        {
            // Deleting now would delete the host's own files.
            throw new PodException(PodFault.HostFailed, directory, $"'{left}' is still mounted; unmount it by hand, then try again.");
        }

        Directory.Delete(directory, recursive: true);
        ShareReleased(directory);
    }

    private static async Task RunAsync(string tool, IReadOnlyList<string> arguments, string subject, CancellationToken cancellationToken)
    {
        BufferedCommandResult result = await Cli.Wrap(tool)
            .WithArguments(arguments)
            .WithValidation(CommandResultValidation.None)
            .ExecuteBufferedAsync(cancellationToken);
        if (result.ExitCode != 0)
        {
            throw new PodException(
                PodFault.HostFailed,
                subject,
                $"'{tool} {string.Join(' ', arguments)}' failed with code {result.ExitCode}: {result.StandardError.Trim()}");
        }
    }

    [LoggerMessage(3120, LogLevel.Debug, "Released the share {Directory}")]
    private partial void ShareReleased(string directory);
}
