using System.Text.Json.Nodes;

namespace Vks.Supervisor.Kubernetes;

/// <summary>Puts manifests into the API server.</summary>
/// <remarks>
/// By create and replace and not by server-side apply: a server that does not know a field (a newer webhook's, a newer schema's) drops it there and refuses it here.
/// </remarks>
internal sealed class Installer(ApiClient api, TimeProvider time)
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    /// <summary>Makes one object be as in its manifest.</summary>
    /// <returns><c>created</c>, <c>configured</c> or <c>unchanged</c>, as kubectl says it.</returns>
    public async Task<string> ApplyAsync(JsonObject manifest, CancellationToken cancellationToken)
    {
        (ApiResource resource, string? space, string name) = Place(manifest);
        while (true)
        {
            JsonNode? found = await FindAsync(resource.Path(space, name), cancellationToken);
            try
            {
                if (found is null)
                {
                    await api.SendAsync(HttpMethod.Post, resource.Path(space, null), manifest, cancellationToken);
                    return "created";
                }

                if (manifest.All(static member => member.Key is "apiVersion" or "kind" or "metadata"))
                {
                    // What the server itself writes into such an object (a service account's secrets) is not to be taken away.
                    return "unchanged";
                }

                JsonObject changed = manifest.DeepClone().AsObject();
                changed["metadata"]!["resourceVersion"] = found["metadata"]!["resourceVersion"]!.DeepClone();
                JsonNode now = await api.SendAsync(HttpMethod.Put, resource.Path(space, name), changed, cancellationToken);
                string version = found["metadata"]!["generation"] is null ? "resourceVersion" : "generation";
                return JsonNode.DeepEquals(now["metadata"]![version], found["metadata"]![version]) ? "unchanged" : "configured";
            }
            catch (ApiException raced) when (raced.Fault == ApiFault.Conflict)
            {
                // Two installers at once: look again.
                await Task.Delay(s_pause, time, cancellationToken);
            }
        }
    }

    /// <summary>Waits until the server serves the kind that a definition defines.</summary>
    public async Task WaitServedAsync(JsonObject definition, CancellationToken cancellationToken)
    {
        (ApiResource resource, string? space, string name) = Place(definition);
        DateTimeOffset deadline = time.GetUtcNow() + s_limit;
        while (true)
        {
            JsonNode? found = await FindAsync(resource.Path(space, name), cancellationToken);
            JsonArray conditions = found?["status"]?["conditions"]?.AsArray() ?? [];
            if (conditions.Any(condition => (string?)condition?["type"] == "Established" && (string?)condition["status"] == "True"))
            {
                return;
            }

            if (time.GetUtcNow() > deadline)
            {
                throw new SupervisorException(
                    SupervisorFault.ControlPlane, $"{name} is not served {s_limit.TotalSeconds} s after it was made: {conditions.ToJsonString()}. Look at the API server's log.");
            }

            await Task.Delay(s_pause, time, cancellationToken);
        }
    }

    /// <summary>Where a manifest's object belongs.</summary>
    public static (ApiResource Resource, string? Space, string Name) Place(JsonObject manifest) =>
        (ApiResource.For((string)manifest["apiVersion"]!, (string)manifest["kind"]!), (string?)manifest["metadata"]?["namespace"], (string)manifest["metadata"]!["name"]!);

    private async Task<JsonNode?> FindAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            return await api.SendAsync(HttpMethod.Get, path, null, cancellationToken);
        }
        catch (ApiException missing) when (missing.Fault == ApiFault.NotFound)
        {
            return null;
        }
    }
}
