using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Images;

namespace Vks.Spherelet.Pods;

/// <summary>Turns a container's config and its image's settings into what the guest is told. Pure.</summary>
internal static class ContainerPlan
{
    /// <summary>Digits of the image digest that name its disk in a machine; SCSI serials have at most 20 characters.</summary>
    private const int SerialDigits = 20;

    private static readonly string[] UsualMaskedPaths =
    [
        "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
        "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
    ];

    private static readonly string[] UsualReadOnlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

    /// <summary>The SCSI serial of an image's disk.</summary>
    /// <param name="imageId"><c>sha256:…</c>.</param>
    public static string DiskSerial(string imageId) => imageId[(imageId.IndexOf(':', StringComparison.Ordinal) + 1)..][..SerialDigits];

    /// <summary>Makes the spec.</summary>
    /// <param name="containerId">64 hex digits.</param>
    /// <param name="pod">Its pod.</param>
    /// <param name="config">The container.</param>
    /// <param name="image">Its image.</param>
    /// <param name="mounts">Its mounts, already found.</param>
    /// <param name="seccompJson">Its profile, or null for none; for <see cref="SeccompChoice.RuntimeDefault"/> the default one is used.</param>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>: nothing to run, an unknown capability, or more than the pod allows.</exception>
    public static ContainerSpec ToSpec(
        string containerId, PodConfig pod, ContainerConfig config, ContainerImage image, IReadOnlyList<MountSpec> mounts, string? seccompJson)
    {
        ContainerSecurity security = config.Security;
        if (security.Privileged && !pod.Privileged)
        {
            throw new PodException(
                PodFault.InvalidConfig,
                config.Name,
                $"Container '{config.Name}' is privileged, but its pod is not; set linux.security_context.privileged of the pod sandbox too.");
        }

        CheckUserNamespace(pod, config);
        IReadOnlyList<string> capabilities = Capabilities.Compute(security.AddCapabilities, security.DropCapabilities, security.Privileged);
        return new ContainerSpec
        {
            ContainerId = containerId,
            ImageDisk = DiskSerial(image.ImageId),
            Process = new ProcessSpec
            {
                Args = Arguments(config, image),
                Env = Environment([$"HOSTNAME={pod.Hostname}", .. image.Config.Env], config.Env),
                WorkingDirectory = FirstNonEmpty(config.WorkingDirectory, image.Config.WorkingDir, "/"),
                User = FirstNonEmpty(security.User, image.Config.User, ""),
                UserIsName = security.UserIsName && security.User.Length > 0,
                SupplementalGroups = security.SupplementalGroups,
                StrictSupplementalGroups = security.StrictSupplementalGroups,
                Terminal = config.Tty,
                Capabilities = capabilities,
                AmbientCapabilities = [.. security.AmbientCapabilities.Select(Capabilities.Parse)],
                NoNewPrivileges = security.NoNewPrivileges,
                Rlimits = Ulimits.Of(config.Annotations, pod.Annotations),
                OomScoreAdjust = config.OomScoreAdjust,
            },
            Mounts = mounts,
            ReadOnlyRoot = security.ReadOnlyRoot,
            Privileged = security.Privileged,
            MaskedPaths = security.Privileged ? [] : OrUsual(security.MaskedPaths, UsualMaskedPaths),
            ReadOnlyPaths = security.Privileged ? [] : OrUsual(security.ReadOnlyPaths, UsualReadOnlyPaths),
            PidNamespace = security.PidNamespace,
            PidTarget = security.PidTarget.Length == 0 ? null : security.PidTarget,
            PrivateIpc = security.PrivateIpc,
            PrivateNetwork = security.PrivateNetwork,
            Devices = [.. config.Devices.Select(static device => device.ToSpec())],
            Resources = config.Resources,
            SeccompJson = security.Privileged ? null : security.Seccomp switch
            {
                SeccompChoice.RuntimeDefault => SeccompProfile.Default(capabilities),
                _ => seccompJson,
            },
            Annotations = config.Annotations,
            Stdin = config.Stdin,
            StdinOnce = config.StdinOnce,
        };
    }

    /// <summary>The signal that stops the container: its own, else the image's, else SIGTERM.</summary>
    public static int StopSignal(ContainerConfig config, ImageRunConfig image) =>
        config.StopSignal != 0 ? config.StopSignal
        : Signals.TryParse(image.StopSignal, out int signal) ? signal
        : Signals.Terminate;

    /// <summary>
    /// Command stands for the image's entrypoint and args for its Cmd, as Kubernetes has it: with a command the image's Cmd does not
    /// count at all, with args alone the image's entrypoint does.
    /// </summary>
    private static string[] Arguments(ContainerConfig config, ContainerImage image)
    {
        IReadOnlyList<string> program = config.Command.Count > 0 ? config.Command : image.Config.Entrypoint;
        IReadOnlyList<string> rest = config.Args.Count > 0 ? config.Args
            : config.Command.Count > 0 ? []
            : image.Config.Cmd;
        string[] all = [.. program, .. rest];
        return all.Length > 0
            ? all
            : throw new PodException(
                PodFault.InvalidConfig,
                config.Name,
                $"Container '{config.Name}' has nothing to run: image {image.ImageRef} has neither entrypoint nor command. Give a command.");
    }

    private static void CheckUserNamespace(PodConfig pod, ContainerConfig config)
    {
        ContainerSecurity security = config.Security;
        if (security.SaysUserNamespace && security.UserNamespace != pod.UserNamespace)
        {
            throw new PodException(
                PodFault.InvalidConfig, config.Name, $"Container '{config.Name}' asks for another user namespace than its pod has; all containers of a pod live in one.");
        }

        if (pod.UserNamespace is not null && security.PidNamespace == PidNamespace.Guest)
        {
            throw new PodException(
                PodFault.InvalidConfig, config.Name, $"Container '{config.Name}' asks for the node's processes, which a pod with a user namespace cannot see.");
        }

        if (config.Mounts.FirstOrDefault(mount => mount.IdMap is { } map && map != pod.UserNamespace) is { } other)
        {
            throw new PodException(
                PodFault.InvalidConfig, config.Name, $"Mount '{other.ContainerPath}' of container '{config.Name}' maps ids otherwise than the pod's user namespace.");
        }
    }

    /// <summary>The image's variables, and over them the container's; each name once, at its first place.</summary>
    private static string[] Environment(IReadOnlyList<string> image, IReadOnlyList<string> container)
    {
        var order = new List<string>();
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string entry in image.Concat(container))
        {
            string name = entry.Split('=', 2)[0];
            if (!values.ContainsKey(name))
            {
                order.Add(name);
            }

            values[name] = entry;
        }

        return [.. order.Select(name => values[name])];
    }

    private static string FirstNonEmpty(string first, string second, string last) =>
        first.Length > 0 ? first : second.Length > 0 ? second : last;

    private static IReadOnlyList<string> OrUsual(IReadOnlyList<string> paths, string[] usual) => paths.Count > 0 ? paths : usual;
}
