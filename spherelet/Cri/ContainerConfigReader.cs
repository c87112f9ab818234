using System.Text;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

/// <summary>Reads what a container is asked to be, and refuses what cannot be before anything is changed.</summary>
internal static class ContainerConfigReader
{
    private const int MaxNameLength = 253;
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Reads the config of a container.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>, naming the field.</exception>
    public static ContainerConfig Read(V1.ContainerConfig? config)
    {
        if (config?.Metadata is null)
        {
            throw Invalid("config.metadata", "is missing; the name names the container in its pod");
        }

        if (config.Devices.Count > 0 || config.CDIDevices.Count > 0)
        {
            throw Invalid("devices", "names devices of the host, which a machine does not have; remove them");
        }

        string image = config.Image?.Image ?? "";
        return new ContainerConfig
        {
            Name = Name(config.Metadata.Name),
            Attempt = config.Metadata.Attempt,
            Image = image.Length > 0 ? image : throw Invalid("image", "is empty; name a pulled image"),
            UserSpecifiedImage = config.Image!.UserSpecifiedImage,
            Command = [.. config.Command],
            Args = [.. config.Args],
            WorkingDirectory = config.WorkingDir.Length == 0 ? "" : PathRules.Absolute(config.WorkingDir, "working_dir"),
            Env = [.. config.Envs.Select(Variable)],
            Mounts = [.. config.Mounts.Select(Mount)],
            Labels = config.Labels.ToDictionary(),
            Annotations = config.Annotations.ToDictionary(),
            LogPath = config.LogPath.Length == 0 ? "" : PathRules.Relative(config.LogPath, "log_path"),
            Stdin = config.Stdin,
            StdinOnce = config.StdinOnce,
            Tty = config.Tty,
            Security = SecurityReader.Read(config.Linux?.SecurityContext),
            Resources = ResourceConversion.Read(config.Linux?.Resources),
            OomScoreAdjust = (int)Math.Clamp(config.Linux?.Resources?.OomScoreAdj ?? 0, -1000, 1000),
            StopSignal = SignalConversion.Read(config.StopSignal),
        };
    }

    private static string Name(string text) =>
        text.Length is > 0 and <= MaxNameLength && text.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '.' or '_')
            ? text
            : throw Invalid("metadata.name", $"is '{text}'; it must be 1 to {MaxNameLength} letters, digits, '-', '.' or '_'");

    private static string Variable(V1.KeyValue variable)
    {
        if (variable.Key.Length == 0 || variable.Key.Contains('=', StringComparison.Ordinal) || variable.Key.Contains('\0', StringComparison.Ordinal))
        {
            throw Invalid("envs", $"has the name '{variable.Key}'; a name is not empty and has no '='");
        }

        try
        {
            string value = StrictUtf8.GetString(variable.Value.Span);
            return value.Contains('\0', StringComparison.Ordinal)
                ? throw Invalid("envs", $"has a NUL in the value of '{variable.Key}'")
                : $"{variable.Key}={value}";
        }
        catch (DecoderFallbackException)
        {
            throw Invalid("envs", $"has a value of '{variable.Key}' that is not UTF-8");
        }
    }

    private static ContainerMount Mount(V1.Mount mount)
    {
        string field = $"mounts '{mount.ContainerPath}'";
        string containerPath = PathRules.Absolute(mount.ContainerPath, "mounts.container_path");
        string image = mount.Image?.Image ?? "";
        if (mount.UidMappings.Count > 0 || mount.GidMappings.Count > 0)
        {
            throw Invalid(field, "maps user ids, which is not supported");
        }

        if (mount.MountOptions.Count > 0)
        {
            throw Invalid(field, "has mount_options, which is not supported and not announced in Status");
        }

        if (image.Length > 0)
        {
            string subPath = mount.ImageSubPath.Length == 0 ? "" : PathRules.Relative(mount.ImageSubPath, "mounts.image_sub_path");
            return new ContainerMount { ContainerPath = containerPath, Image = image, ImageSubPath = subPath, ReadOnly = true };
        }

        if (mount.RecursiveReadOnly)
        {
            throw Invalid(field, "is recursive_read_only, which is not supported for a host path and not announced in Status");
        }

        if (mount.Propagation == V1.MountPropagation.PropagationBidirectional)
        {
            throw Invalid(field, "has bidirectional propagation, which cannot be between a machine and its host");
        }

        return new ContainerMount
        {
            ContainerPath = containerPath,
            HostPath = PathRules.Absolute(mount.HostPath, "mounts.host_path"),
            ReadOnly = mount.Readonly,
        };
    }

    private static PodException Invalid(string field, string rule) => new(PodFault.InvalidConfig, field, $"{field} {rule}.");
}
