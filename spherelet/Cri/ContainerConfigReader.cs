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

        if (config.CDIDevices.Count > 0)
        {
            throw Invalid("CDI_devices", $"names '{config.CDIDevices[0].Name}'; CDI describes devices of the host, which a machine does not have");
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
            Mounts = [.. config.Mounts.Select(MountReader.Read)],
            Devices = [.. config.Devices.Select(Device)],
            Labels = config.Labels.ToDictionary(),
            Annotations = config.Annotations.ToDictionary(),
            LogPath = config.LogPath.Length == 0 ? "" : PathRules.Relative(config.LogPath, "log_path"),
            Stdin = config.Stdin,
            StdinOnce = config.StdinOnce,
            Tty = config.Tty,
            Security = SecurityReader.Read(config.Linux?.SecurityContext),
            Resources = ResourceConversion.Read(config.Linux?.Resources),
            OomScoreAdjust = ResourceConversion.ReadOomScore(config.Linux?.Resources),
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

    private static ContainerDevice Device(V1.Device device)
    {
        string containerPath = PathRules.Absolute(device.ContainerPath.Length == 0 ? device.HostPath : device.ContainerPath, "devices.container_path");
        string access = device.Permissions.Length == 0 ? "rwm" : device.Permissions;
        return access.All(letter => letter is 'r' or 'w' or 'm')
            ? new ContainerDevice(PathRules.Absolute(device.HostPath, "devices.host_path"), containerPath, access)
            : throw Invalid("devices.permissions", $"is '{access}'; it is made of r, w and m");
    }

    private static PodException Invalid(string field, string rule) => new(PodFault.InvalidConfig, field, $"{field} {rule}.");
}
