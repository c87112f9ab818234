using System.Text.Json.Nodes;
using k8s;
using k8s.Models;

namespace Vks.Supervisor.Kubernetes;

/// <summary>Keeps an object in the API after it was deleted, until what stands behind it is gone.</summary>
internal static class Finalizer
{
    /// <summary>The Supervisor's.</summary>
    public const string Name = "supervisor.vks.dev/finalizer";

    /// <summary>Whether the object has it.</summary>
    public static bool IsOn(IKubernetesObject<V1ObjectMeta> item) => item.Metadata.Finalizers?.Contains(Name) == true;

    /// <summary>Puts it on, before anything is made that would have to be removed.</summary>
    /// <returns>The object with it.</returns>
    public static Task<T> AddAsync<T>(ApiClient api, T item, CancellationToken cancellationToken)
        where T : IKubernetesObject<V1ObjectMeta> => WriteAsync(api, item, [.. item.Metadata.Finalizers ?? [], Name], cancellationToken);

    /// <summary>Takes it off: the object may go.</summary>
    public static Task<T> RemoveAsync<T>(ApiClient api, T item, CancellationToken cancellationToken)
        where T : IKubernetesObject<V1ObjectMeta> => WriteAsync(api, item, [.. (item.Metadata.Finalizers ?? []).Where(name => name != Name)], cancellationToken);

    // With the version that was read: a list that somebody changed in between is not overwritten.
    private static Task<T> WriteAsync<T>(ApiClient api, T item, string[] finalizers, CancellationToken cancellationToken)
        where T : IKubernetesObject<V1ObjectMeta> =>
        api.MergeAsync<T>(
            item.Metadata.NamespaceProperty, item.Metadata.Name,
            new JsonObject
            {
                ["metadata"] = new JsonObject
                {
                    ["resourceVersion"] = item.Metadata.ResourceVersion,
                    ["finalizers"] = new JsonArray([.. finalizers.Select(name => JsonValue.Create(name))]),
                },
            },
            cancellationToken);
}
