using System.Text.Json.Serialization;
using k8s;
using k8s.Models;

namespace Vks.Supervisor.Kubernetes;

/// <summary>An object of a kind of ours.</summary>
/// <typeparam name="TSpec">What people want.</typeparam>
/// <typeparam name="TStatus">What the Supervisor sees.</typeparam>
internal abstract class CustomObject<TSpec, TStatus> : IKubernetesObject<V1ObjectMeta>
    where TSpec : class, new()
    where TStatus : class, new()
{
    /// <inheritdoc/>
    public string ApiVersion { get; set; } = "";

    /// <inheritdoc/>
    public string Kind { get; set; } = "";

    /// <inheritdoc/>
    public V1ObjectMeta Metadata { get; set; } = new();

    /// <summary>What people want.</summary>
    public TSpec Spec { get; set; } = new();

    /// <summary>What the Supervisor sees; null before its first look.</summary>
    public TStatus? Status { get; set; }

    /// <summary>Whether somebody asked for its removal.</summary>
    [JsonIgnore]
    public bool IsBeingRemoved => Metadata.DeletionTimestamp is not null;

    /// <summary>A new object of this kind.</summary>
    protected static T Make<T>(string? space, string name, TSpec spec)
        where T : CustomObject<TSpec, TStatus>, new()
    {
        ApiResource resource = ApiResource.For<T>();
        return new T
        {
            ApiVersion = resource.ApiVersion, Kind = resource.Kind, Metadata = new V1ObjectMeta { Name = name, NamespaceProperty = space }, Spec = spec,
        };
    }
}
