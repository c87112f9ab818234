using System.Text.Json;
using Vks.Agent.Channel;
using Vks.Agent.Disks;
using Vks.Agent.Host;
using Vks.Agent.Personality;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Containers;

/// <summary>What a bundle is built from.</summary>
internal sealed record BundleSources(DiskMounts Images, VolumeMounts Volumes, BlockDevices Disks, Share Share, PodPersonality Personality, PodUserNamespace UserNamespace);

/// <summary>One container's directory, overlay and disks. All made by <see cref="CreateAsync"/>, all undone by <see cref="RemoveAsync"/>.</summary>
internal sealed class Bundle
{
    private const string Root = "/run/vks/containers";
    private const int AccountFileLimitBytes = 1024 * 1024;
    private readonly BundleSources _sources;
    private readonly ContainerSpec _spec;
    private readonly List<string> _disks = [];
    private readonly List<string> _volumes = [];
    private readonly List<string> _mountSources = [];
    private IReadOnlyList<GuestDevice> _devices = [];
    private bool _mounted;
    private UserNamespaceHolder? _userNamespace;

    private Bundle(ContainerSpec spec, BundleSources sources)
    {
        _spec = spec;
        _sources = sources;
        Folder = Path.Combine(Root, spec.ContainerId);
        LayerFolder = Path.Combine(Scratch.Root, spec.ContainerId);
    }

    /// <summary>Where config.json lies.</summary>
    internal string Folder { get; }

    /// <summary>The writable layer.</summary>
    internal string UpperFolder => Path.Combine(LayerFolder, "upper");

    /// <summary>The first process's user.</summary>
    internal ResolvedUser User { get; private set; } = new(0, 0, [0], "/");

    /// <summary>The user namespace of the container, or null for the guest's.</summary>
    internal GuestUserNamespace? UserNamespace => _userNamespace?.Map;

    private string LayerFolder { get; }

    private string RootFileSystem => Path.Combine(Folder, "rootfs");

    /// <summary>Mounts the disks and the overlay and resolves the user; undoes what it did if anything fails.</summary>
    internal static async Task<Bundle> CreateAsync(ContainerSpec spec, BundleSources sources, CancellationToken cancellationToken)
    {
        var bundle = new Bundle(spec, sources);
        try
        {
            await bundle.BuildAsync(cancellationToken);
            return bundle;
        }
        catch
        {
            await bundle.RemoveAsync();
            throw;
        }
    }

    /// <summary>Writes config.json and gives what it says.</summary>
    internal OciConfig WriteConfig(ContainerSpec spec, string? pidNamespacePath, string cgroupsPath)
    {
        OciConfig config = Config(spec, pidNamespacePath, cgroupsPath);
        File.WriteAllBytes(Path.Combine(Folder, "config.json"), JsonSerializer.SerializeToUtf8Bytes(config, OciJson.Default.OciConfig));
        return config;
    }

    /// <summary>What config.json is to say.</summary>
    /// <exception cref="AgentException">InvalidRequest: the seccomp profile is not JSON.</exception>
    internal OciConfig Config(ContainerSpec spec, string? pidNamespacePath, string cgroupsPath)
    {
        try
        {
            return OciConfigWriter.Write(spec, new BundleFacts(User, _sources.Personality.Files, _mountSources, pidNamespacePath, cgroupsPath)
            {
                Devices = _devices,
                Hardware = GuestHardware.This,
                UserNamespace = _userNamespace,
            });
        }
        catch (JsonException exception)
        {
            throw new AgentException(GuestFault.InvalidRequest, $"The seccomp profile is not JSON: {exception.Message}", exception);
        }
    }

    /// <summary>Unmounts, releases the disks, removes the files. May be called on a half-built bundle, and twice.</summary>
    internal async Task RemoveAsync()
    {
        if (_mounted)
        {
            Mounts.Unmount(RootFileSystem);
            _mounted = false;
        }

        foreach (string disk in _disks)
        {
            await _sources.Images.ReleaseAsync(disk);
        }

        foreach (string volume in _volumes)
        {
            await _sources.Volumes.ReleaseDiskAsync(volume);
        }

        _disks.Clear();
        _volumes.Clear();
        Remove(Folder);
        Remove(LayerFolder);
    }

    /// <summary>Resolves another user of the same container.</summary>
    internal ResolvedUser Resolve(ProcessSpec process) => UserResolver.Resolve(
        process.User,
        process.UserIsName,
        process.SupplementalGroups,
        process.StrictSupplementalGroups,
        Descriptors.ReadInRoot(RootFileSystem, "etc/passwd", AccountFileLimitBytes),
        Descriptors.ReadInRoot(RootFileSystem, "etc/group", AccountFileLimitBytes));

    private static void Remove(string folder)
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private async Task BuildAsync(CancellationToken cancellationToken)
    {
        _userNamespace = await _sources.UserNamespace.HolderAsync();
        string image = await AcquireAsync(_spec.ImageDisk, cancellationToken);
        string work = Path.Combine(LayerFolder, "work");
        Directory.CreateDirectory(UpperFolder);
        Directory.CreateDirectory(work);
        File.SetUnixFileMode(UpperFolder, File.GetUnixFileMode(image));
        // The layer dies with the container: volatile spares its syncs (overlayfs, Linux 5.10).
        string metadataOnly = _userNamespace is null ? "" : ",metacopy=on";
        Mounts.Mount("overlay", RootFileSystem, "overlay", 0, $"lowerdir={image},upperdir={UpperFolder},workdir={work},volatile{metadataOnly}");
        _mounted = true;
        if (_userNamespace is { } holder)
        {
            OwnerShift.Apply(RootFileSystem, holder.Map, cancellationToken);
        }

        User = Resolve(_spec.Process);
        var disks = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string serial in _spec.Devices.Select(device => device.Disk).OfType<string>().Distinct())
        {
            disks[serial] = await _sources.Disks.FindAsync(serial, cancellationToken);
        }

        _devices = GuestDevices.Of(_spec, disks, new DeviceOwner(User, _userNamespace?.Map));
        foreach (MountSpec mount in _spec.Mounts)
        {
            _mountSources.Add(await SourceOfAsync(mount, cancellationToken));
        }
    }

    private async Task<string> SourceOfAsync(MountSpec mount, CancellationToken cancellationToken)
    {
        switch (mount.Kind)
        {
            case MountSource.Share:
                return _sources.Share.Resolve(mount.Source);
            case MountSource.Disk:
                string disk = await AcquireAsync(mount.Source, cancellationToken);
                return mount.SubPath.Length == 0
                    ? disk
                    : Descriptors.ResolveInRoot(disk, mount.SubPath)
                        ?? throw new AgentException(GuestFault.InvalidRequest, $"The image that is mounted on '{mount.Destination}' has no '{mount.SubPath}'.");
            case MountSource.Volume when mount.Volume is { } volume:
                return VolumeMounts.Resolve(await VolumeAsync(mount.Source, volume, cancellationToken), mount.SubPath, volume.SubPath);
            case MountSource.Tmpfs:
                return "tmpfs";
            case MountSource.GuestPath:
                return Path.IsPathRooted(mount.Source)
                    ? mount.Source
                    : throw new AgentException(GuestFault.InvalidRequest, $"'{mount.Source}' is no absolute path of the guest.");
            default:
                throw new AgentException(GuestFault.InvalidRequest, $"{mount.Kind} is no mount source.");
        }
    }

    private async Task<string> VolumeAsync(string serial, VolumeSpec volume, CancellationToken cancellationToken)
    {
        if (volume.InMemory)
        {
            return _sources.Volumes.InMemory(serial, volume);
        }

        string path = await _sources.Volumes.AcquireDiskAsync(serial, volume.Root, cancellationToken);
        _volumes.Add(serial);
        return path;
    }

    private async Task<string> AcquireAsync(string serial, CancellationToken cancellationToken)
    {
        string path = await _sources.Images.AcquireAsync(serial, cancellationToken);
        _disks.Add(serial);
        return path;
    }
}
