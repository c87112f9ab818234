using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;

namespace Vks.Supervisor.Kubernetes;

/// <summary>Events: what users see in <c>kubectl describe</c>. The same event about the same object is counted, not repeated.</summary>
internal sealed partial class EventRecorder(ApiClient api, string component, TimeProvider time, ILogger logger)
{
    /// <summary>Tells users about an object. Never fails: an event is a courtesy.</summary>
    /// <param name="about">The object.</param>
    /// <param name="warning">Something is wrong.</param>
    /// <param name="reason">One word in CamelCase.</param>
    /// <param name="message">A sentence.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    public async Task TellAsync<T>(T about, bool warning, string reason, string message, CancellationToken cancellationToken)
        where T : IKubernetesObject<V1ObjectMeta>
    {
        ApiResource resource = ApiResource.For<T>();
        string space = about.Metadata.NamespaceProperty is { Length: > 0 } own ? own : "default";
        byte[] digest = SHA256.HashData(Encoding.UTF8.GetBytes($"{about.Metadata.Uid} {reason} {message}"));
        string name = $"{about.Metadata.Name}.{Convert.ToHexStringLower(digest.AsSpan(0, 8))}";
        DateTime now = time.GetUtcNow().UtcDateTime;
        var tell = new Corev1Event
        {
            ApiVersion = "v1",
            Kind = "Event",
            Metadata = new V1ObjectMeta { Name = name, NamespaceProperty = space },
            InvolvedObject = new V1ObjectReference
            {
                ApiVersion = resource.ApiVersion, Kind = resource.Kind, Name = about.Metadata.Name, NamespaceProperty = about.Metadata.NamespaceProperty,
                Uid = about.Metadata.Uid, ResourceVersion = about.Metadata.ResourceVersion,
            },
            Type = warning ? "Warning" : "Normal",
            Reason = reason,
            Message = message.Length > 1000 ? message[..1000] : message,
            Source = new V1EventSource { Component = component },
            FirstTimestamp = now,
            LastTimestamp = now,
            Count = 1,
        };
        try
        {
            if (await api.FindAsync<Corev1Event>(space, name, cancellationToken) is { } known)
            {
                JsonObject patch = new() { ["count"] = (known.Count ?? 1) + 1, ["lastTimestamp"] = now.ToString("yyyy-MM-ddTHH:mm:ssZ") };
                await api.MergeAsync<Corev1Event>(space, name, patch, cancellationToken);
            }
            else
            {
                await api.CreateAsync(tell, cancellationToken);
            }
        }
        catch (ApiException problem)
        {
            NotTold(reason, about.Metadata.Name, problem.Message);
        }
    }

    [LoggerMessage(4203, LogLevel.Warning, "The event {Reason} about {Name} was not stored: {Problem}")]
    private partial void NotTold(string reason, string name, string problem);
}
