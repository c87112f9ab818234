using Vks.Supervisor.Operations;

namespace Vks.Supervisor.Rollouts;

/// <summary>Whether members may come to run another version, by upstream's rules (kubernetes.io/releases/version-skew-policy). Pure.</summary>
internal static class VersionSkew
{
    /// <summary>What speaks against it.</summary>
    /// <param name="wanted">The version that members are to run.</param>
    /// <param name="running">What members run now, by name.</param>
    /// <param name="kubelets">What nodes run, by name.</param>
    public static IEnumerable<Finding> Judge(KubernetesVersion wanted, IReadOnlyDictionary<string, KubernetesVersion> running, IReadOnlyDictionary<string, KubernetesVersion> kubelets)
    {
        foreach ((string member, KubernetesVersion version) in running)
        {
            if (wanted.CompareTo(version) < 0)
            {
                yield return new Finding("version", member, true, $"it runs {version}, and {wanted} is older: what it has written the older one may not be able to read", $"name a folder with programs of {version} or later");
            }
            else if (wanted.Major != version.Major || wanted.Minor > version.Minor + 1)
            {
                yield return new Finding("version", member, true, $"it runs {version}, and {wanted} is more than one minor version later", $"go to v{version.Major}.{version.Minor + 1} first");
            }
        }

        // From 1.28 on a kubelet may be three minor versions older than the API server, before two.
        int older = wanted.Minor >= 28 ? 3 : 2;
        foreach ((string node, KubernetesVersion version) in kubelets)
        {
            if (version.Major != wanted.Major || version.Minor > wanted.Minor)
            {
                yield return new Finding("version", node, true, $"its kubelet is {version}, newer than {wanted}: kubelets come after the control plane", $"name programs of v{version.Major}.{version.Minor} or later, or put an older kubelet on {node}");
            }
            else if (version.Minor < wanted.Minor - older)
            {
                yield return new Finding("version", node, true, $"its kubelet is {version}, more than {older} minor versions older than {wanted}", $"put a kubelet of v{wanted.Major}.{wanted.Minor - older} or later on {node} first");
            }
        }
    }
}
