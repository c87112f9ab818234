using System.Text.Json.Nodes;

namespace Vks.Supervisor.Kubernetes;

/// <summary>What the API server asks an admission webhook (<c>admission.k8s.io/v1</c>).</summary>
/// <param name="body">The AdmissionReview.</param>
internal sealed class AdmissionRequest(JsonNode body)
{
    private readonly JsonNode _request = body["request"] ?? throw new FormatException("an AdmissionReview without a request");

    /// <summary>Namespace of the object; empty for kinds without one.</summary>
    public string Space => (string?)_request["namespace"] ?? "";

    /// <summary>Name of the object, which a pod of a controller does not have yet.</summary>
    public string Name => (string?)_request["name"] ?? "";

    /// <summary>CREATE or UPDATE.</summary>
    public string Operation => (string?)_request["operation"] ?? "";

    /// <summary>Part of the object, as <c>binding</c>; empty for all of it.</summary>
    public string Part => (string?)_request["subResource"] ?? "";

    /// <summary>Who asks.</summary>
    public string User => (string?)_request["userInfo"]?["username"] ?? "";

    /// <summary>The groups of who asks.</summary>
    public IReadOnlyList<string> Groups => [.. (_request["userInfo"]?["groups"]?.AsArray() ?? []).Select(group => (string)group!)];

    /// <summary>The object as it is asked for.</summary>
    public JsonNode Object => _request["object"] ?? throw new FormatException("an AdmissionReview without an object");

    /// <summary>The object as it is; null when it is new.</summary>
    public JsonNode? Former => _request["oldObject"];

    /// <summary>Yes, perhaps with changes.</summary>
    /// <param name="patch">Operations of a JSON patch (RFC 6902).</param>
    public JsonObject Allow(params JsonNode[] patch)
    {
        JsonObject response = new() { ["uid"] = _request["uid"]!.DeepClone(), ["allowed"] = true };
        if (patch.Length > 0)
        {
            response["patchType"] = "JSONPatch";
            response["patch"] = Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(new JsonArray(patch).ToJsonString()));
        }

        return Answer(response);
    }

    /// <summary>No, and why.</summary>
    public JsonObject Refuse(string why) => Answer(new JsonObject
    {
        ["uid"] = _request["uid"]!.DeepClone(), ["allowed"] = false, ["status"] = new JsonObject { ["code"] = 403, ["reason"] = "Forbidden", ["message"] = why },
    });

    private static JsonObject Answer(JsonObject response) => new() { ["apiVersion"] = "admission.k8s.io/v1", ["kind"] = "AdmissionReview", ["response"] = response };
}
