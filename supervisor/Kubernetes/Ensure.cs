using System.Text.Json;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;

namespace Vks.Supervisor.Kubernetes;

/// <summary>Makes an object be as wanted, whatever is there: missing, changed by hand, half made by a process that was killed.</summary>
internal static class Ensure
{
    /// <summary>Creates or corrects an object. What others added to it (labels, annotations, fields we do not name) stays.</summary>
    /// <param name="api">The server.</param>
    /// <param name="wanted">The object with everything we care about.</param>
    /// <param name="owned">Members that are replaced whole, so that what we no longer want goes away.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <returns>The object as the server has it.</returns>
    public static async Task<T> AsAsync<T>(ApiClient api, T wanted, string[] owned, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        (string? space, string name) = (wanted.Metadata.NamespaceProperty, wanted.Metadata.Name);
        T? found = await api.FindAsync<T>(space, name, cancellationToken);
        if (found is null)
        {
            return await api.CreateAsync(wanted, cancellationToken);
        }

        JsonObject is_ = JsonNode.Parse(KubernetesJson.Serialize(found))!.AsObject();
        JsonObject should = JsonNode.Parse(KubernetesJson.Serialize(wanted))!.AsObject();
        JsonObject patch = new();
        foreach (string member in owned)
        {
            if (!Same(should[member], is_[member]))
            {
                patch[member] = Replacing(should[member], is_[member]);
            }
        }

        JsonObject meta = new();
        foreach (string member in (string[])["labels", "annotations"])
        {
            foreach ((string key, JsonNode? value) in should["metadata"]?[member]?.AsObject() ?? [])
            {
                if (!JsonNode.DeepEquals(is_["metadata"]?[member]?[key], value))
                {
                    meta[member] ??= new JsonObject();
                    meta[member]![key] = value?.DeepClone();
                }
            }
        }

        if (patch.Count == 0 && meta.Count == 0)
        {
            return found;
        }

        meta["resourceVersion"] = found.Metadata.ResourceVersion;
        patch["metadata"] = meta;
        return await api.MergeAsync<T>(space, name, patch, cancellationToken);
    }

    // The server adds defaults to what it stores; what we did not name does not count, save in lists and maps of the same member.
    private static bool Same(JsonNode? should, JsonNode? found)
    {
        if (should is JsonObject wanted && found is JsonObject has)
        {
            return wanted.All(pair => Same(pair.Value, has[pair.Key])) && has.All(pair => wanted.ContainsKey(pair.Key));
        }

        if (should is JsonArray list && found is JsonArray other)
        {
            return list.Count == other.Count && list.Zip(other).All(pair => Same(pair.First, pair.Second));
        }

        return JsonNode.DeepEquals(should, found) || SameQuantity(should, found);
    }

    // The server writes 1024Mi as 1Gi.
    private static bool SameQuantity(JsonNode? should, JsonNode? found)
    {
        if (should?.GetValueKind() != JsonValueKind.String || found?.GetValueKind() != JsonValueKind.String)
        {
            return false;
        }

        try
        {
            return new ResourceQuantity(should.GetValue<string>()) == new ResourceQuantity(found.GetValue<string>());
        }
        catch (FormatException)
        {
            return false;
        }
    }

    // A merge patch joins maps: what is to go must be named with null.
    private static JsonNode? Replacing(JsonNode? should, JsonNode? found)
    {
        if (should is not JsonObject wanted || found is not JsonObject has)
        {
            return should?.DeepClone();
        }

        JsonObject patch = new();
        foreach ((string key, JsonNode? value) in wanted)
        {
            patch[key] = Replacing(value, has[key]);
        }

        foreach ((string key, _) in has)
        {
            if (!wanted.ContainsKey(key))
            {
                patch[key] = null;
            }
        }

        return patch;
    }
}
