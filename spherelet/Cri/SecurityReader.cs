using System.Globalization;
using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

/// <summary>Reads who a container runs as and what it may do.</summary>
internal static class SecurityReader
{
    /// <summary>Reads the security context; absent is: the image's user, the usual capabilities, no profile, the pod's processes.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>, naming the field.</exception>
    public static ContainerSecurity Read(V1.LinuxContainerSecurityContext? security)
    {
        if (security is null)
        {
            return new ContainerSecurity { PidNamespace = Pid(null).Namespace };
        }

        SecurityModules.Check(security);
        (SeccompChoice seccomp, string seccompPath) = Seccomp(security);
        (PidNamespace pid, string pidTarget) = Pid(security.NamespaceOptions);
        return new ContainerSecurity
        {
            User = User(security),
            UserIsName = security.RunAsUser is null && security.RunAsUsername.Length > 0,
            SupplementalGroups = [.. security.SupplementalGroups.Select(group => (uint)Id(group, "supplemental_groups"))],
            StrictSupplementalGroups = security.SupplementalGroupsPolicy == V1.SupplementalGroupsPolicy.Strict,
            Privileged = security.Privileged,
            AddCapabilities = [.. security.Capabilities?.AddCapabilities ?? []],
            DropCapabilities = [.. security.Capabilities?.DropCapabilities ?? []],
            AmbientCapabilities = [.. security.Capabilities?.AddAmbientCapabilities ?? []],
            ReadOnlyRoot = security.ReadonlyRootfs,
            NoNewPrivileges = security.NoNewPrivs,
            MaskedPaths = [.. security.MaskedPaths.Select(path => PathRules.Absolute(path, "masked_paths"))],
            ReadOnlyPaths = [.. security.ReadonlyPaths.Select(path => PathRules.Absolute(path, "readonly_paths"))],
            Seccomp = seccomp,
            SeccompPath = seccompPath,
            PidNamespace = pid,
            PidTarget = pidTarget,
            PrivateIpc = IsPrivate(security.NamespaceOptions?.Ipc, "ipc"),
            PrivateNetwork = IsPrivate(security.NamespaceOptions?.Network, "network"),
            UserNamespace = UserNamespaceReader.Read(security.NamespaceOptions),
            SaysUserNamespace = security.NamespaceOptions?.UsernsOptions is not null,
        };
    }

    private static string User(V1.LinuxContainerSecurityContext security)
    {
        if (security.RunAsUser is not null && security.RunAsUsername.Length > 0)
        {
            throw Invalid("run_as_username", "is given beside run_as_user; only one of them can be");
        }

        string user = security.RunAsUser is { } id
            ? Id(id.Value, "run_as_user").ToString(CultureInfo.InvariantCulture)
            : security.RunAsUsername;
        if (user.Any(letter => letter is ':' or '\0' or '\n'))
        {
            throw Invalid("run_as_username", $"is '{user}'; a name has no ':'");
        }

        if (security.RunAsGroup is not { } group)
        {
            return user;
        }

        return user.Length > 0
            ? string.Create(CultureInfo.InvariantCulture, $"{user}:{Id(group.Value, "run_as_group")}")
            : throw Invalid("run_as_group", "needs run_as_user or run_as_username");
    }

    /// <summary>The guest is the pod's node, so POD and NODE are one; a single container's are its processes alone.</summary>
    private static bool IsPrivate(V1.NamespaceMode? mode, string what) => mode switch
    {
        null or V1.NamespaceMode.Pod or V1.NamespaceMode.Node => false,
        V1.NamespaceMode.Container => true,
        V1.NamespaceMode.Target => throw Invalid($"namespace_options.{what}", "is TARGET, which only pid can be"),
        _ => throw Invalid($"namespace_options.{what}", $"is {(int)mode}, which is no known mode"),
    };

    private static (PidNamespace Namespace, string Target) Pid(V1.NamespaceOption? options) => options?.Pid switch
    {
        V1.NamespaceMode.Container => (PidNamespace.Container, ""),
        // POD is 0, so it is also what was not said. The kubelet always says.
        null or V1.NamespaceMode.Pod => (PidNamespace.Pod, ""),
        V1.NamespaceMode.Node => (PidNamespace.Guest, ""),
        V1.NamespaceMode.Target when options.TargetId.Length > 0 => (PidNamespace.Target, options.TargetId),
        _ => throw Invalid("namespace_options.pid", "is TARGET without target_id, or no known mode"),
    };

    /// <summary>Older kubelets send a path with a prefix instead of a profile.</summary>
    private static (SeccompChoice Choice, string Path) Seccomp(V1.LinuxContainerSecurityContext security)
    {
        if (security.Seccomp is { } profile)
        {
            return profile.ProfileType switch
            {
                V1.SecurityProfile.Types.ProfileType.RuntimeDefault => (SeccompChoice.RuntimeDefault, ""),
                V1.SecurityProfile.Types.ProfileType.Unconfined => (SeccompChoice.Unconfined, ""),
                V1.SecurityProfile.Types.ProfileType.Localhost =>
                    (SeccompChoice.Localhost, PathRules.Absolute(profile.LocalhostRef, "seccomp.localhost_ref")),
                _ => throw Invalid("seccomp.profile_type", $"is {(int)profile.ProfileType}, which is no known type"),
            };
        }

#pragma warning disable CS0612 // deprecated in CRI, still sent
        string path = security.SeccompProfilePath;
#pragma warning restore CS0612
        const string Localhost = "localhost/";
        return path switch
        {
            "" or "unconfined" => (SeccompChoice.Unconfined, ""),
            "runtime/default" or "docker/default" => (SeccompChoice.RuntimeDefault, ""),
            _ when path.StartsWith(Localhost, StringComparison.Ordinal) =>
                (SeccompChoice.Localhost, PathRules.Absolute(path[Localhost.Length..], "seccomp_profile_path")),
            _ => throw Invalid("seccomp_profile_path", $"is '{path}', which is no known profile"),
        };
    }

    private static long Id(long id, string field) =>
        id is >= 0 and <= uint.MaxValue - 1L ? id : throw Invalid(field, $"has {id}; ids are 0 to {uint.MaxValue - 1L}");

    private static PodException Invalid(string field, string rule) => new(PodFault.InvalidConfig, field, $"{field} {rule}.");
}
