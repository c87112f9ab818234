using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

/// <summary>Reads with whom a pod shares what, and refuses what a machine cannot share with its host.</summary>
internal static class PodSecurityReader
{
    private const int MaxSysctlLength = 256;

    /// <summary>Checks the security context of a pod.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>, naming the field.</exception>
    public static void Check(V1.LinuxSandboxSecurityContext? security)
    {
        SecurityModules.Check(security?.SelinuxOptions);
        if (security is not { Privileged: true })
        {
            SecurityModules.Check(security?.Apparmor);
        }

        V1.NamespaceOption? options = security?.NamespaceOptions;
        switch (options?.Network)
        {
            case null or V1.NamespaceMode.Pod or V1.NamespaceMode.Container:
                break;
            case V1.NamespaceMode.Node:
                throw Invalid("namespace_options.network", "is NODE; a pod that is a machine has a network stack of its own and cannot share the host's");
            default:
                throw Invalid("namespace_options.network", $"is {options.Network}, which a pod's network cannot be");
        }
    }

    /// <summary>Whose process ids the pod's containers see.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>.</exception>
    public static NamespaceScope Pid(V1.NamespaceOption? options) => Scope(options?.Pid ?? V1.NamespaceMode.Pod, "pid");

    /// <summary>Whose IPC the pod's containers see.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>.</exception>
    public static NamespaceScope Ipc(V1.NamespaceOption? options) => Scope(options?.Ipc ?? V1.NamespaceMode.Pod, "ipc");

    /// <summary>Kernel parameters. The kernel is the pod's own: it says itself which it does not have.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>: a name that cannot be one.</exception>
    public static Dictionary<string, string> Sysctls(IDictionary<string, string>? sysctls)
    {
        foreach (string name in sysctls?.Keys ?? [])
        {
            if (name.Length is 0 or > MaxSysctlLength
                || !name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '/' or '_' or '-')
                || name.Split('.', '/').Contains(""))
            {
                throw Invalid("sysctls", $"has '{name}', which is no name of a kernel parameter");
            }
        }

        return sysctls is null ? [] : new Dictionary<string, string>(sysctls);
    }

    private static NamespaceScope Scope(V1.NamespaceMode mode, string what) => mode switch
    {
        V1.NamespaceMode.Pod => NamespaceScope.Pod,
        V1.NamespaceMode.Container => NamespaceScope.Container,
        V1.NamespaceMode.Node => NamespaceScope.Node,
        _ => throw Invalid($"namespace_options.{what}", $"is {mode}, which a pod's cannot be"),
    };

    private static PodException Invalid(string field, string rule) => new(PodFault.InvalidConfig, field, $"{field} {rule}.");
}
