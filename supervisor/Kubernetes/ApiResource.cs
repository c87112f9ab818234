using System.Reflection;
using k8s.Models;

namespace Vks.Supervisor.Kubernetes;

/// <summary>Where the objects of one kind are found in the Kubernetes API.</summary>
/// <param name="Group">API group; empty for the core group.</param>
/// <param name="Version">Version of the group.</param>
/// <param name="Plural">The kind's name in paths.</param>
/// <param name="Kind">The kind's name in objects.</param>
/// <param name="Namespaced">Objects live in namespaces.</param>
internal sealed record ApiResource(string Group, string Version, string Plural, string Kind, bool Namespaced)
{
    /// <summary>The only thing the client package's attribute does not tell: which kinds live outside of namespaces.</summary>
    private static readonly HashSet<string> s_clusterKinds = new(StringComparer.Ordinal)
    {
        "Node", "Namespace", "ClusterRole", "ClusterRoleBinding", "StorageClass", "RuntimeClass", "CustomResourceDefinition",
        "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "SubjectAccessReview",
        "Supervisor", "Host", "SupervisorNamespace", "SupervisorNamespaceTemplate", "AvailabilityZone",
    };

    /// <summary>What goes into <c>apiVersion</c>.</summary>
    public string ApiVersion => Group.Length == 0 ? Version : $"{Group}/{Version}";

    /// <summary>The resource of a type, by its <see cref="KubernetesEntityAttribute"/>.</summary>
    public static ApiResource For<T>() => OfType<T>.Resource;

    /// <summary>A resource that is known by its manifest only.</summary>
    /// <param name="apiVersion">Group and version.</param>
    /// <param name="kind">Kind; the plural is built from it, which holds for every kind in our manifests.</param>
    public static ApiResource For(string apiVersion, string kind)
    {
        string[] parts = apiVersion.Split('/');
        string lower = kind.ToLowerInvariant();
        string plural = lower.EndsWith("ss", StringComparison.Ordinal) ? lower + "es" : lower.EndsWith('y') ? lower[..^1] + "ies" : lower + "s";
        return new ApiResource(parts.Length == 2 ? parts[0] : "", parts[^1], plural, kind, !s_clusterKinds.Contains(kind));
    }

    /// <summary>The path below the server's address.</summary>
    /// <param name="space">Namespace; null for a list of all, and for kinds without one.</param>
    /// <param name="name">Name; null for the collection.</param>
    /// <param name="part">Subresource, or null.</param>
    public string Path(string? space, string? name, string? part = null)
    {
        string path = Group.Length == 0 ? $"api/{Version}" : $"apis/{Group}/{Version}";
        path += Namespaced && space is not null ? $"/namespaces/{Uri.EscapeDataString(space)}/{Plural}" : $"/{Plural}";
        path += name is null ? "" : $"/{Uri.EscapeDataString(name)}";
        return part is null ? path : $"{path}/{part}";
    }

    private static class OfType<T>
    {
        public static readonly ApiResource Resource = Read();

        private static ApiResource Read()
        {
            KubernetesEntityAttribute about = typeof(T).GetCustomAttribute<KubernetesEntityAttribute>()
                ?? throw new InvalidOperationException($"{typeof(T)} has no KubernetesEntity attribute");
            string group = about.Group ?? "";

            // The package does not name the plural of kinds that are only created, as reviews.
            return string.IsNullOrEmpty(about.PluralName)
                ? For(group.Length == 0 ? about.ApiVersion : $"{group}/{about.ApiVersion}", about.Kind)
                : new ApiResource(group, about.ApiVersion, about.PluralName, about.Kind, !s_clusterKinds.Contains(about.Kind));
        }
    }
}
