using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;

namespace Vks.Supervisor.Metrics;

/// <summary>Answers for metrics.k8s.io/v1beta1, which <c>kubectl top</c> and autoscalers read.</summary>
internal sealed class MetricsApi(UseTable table, IKubernetes client, AccessCheck access, MetricsOptions options)
{
    /// <summary>The API group.</summary>
    public const string Group = "metrics.k8s.io";

    /// <summary>Its version.</summary>
    public const string Version = "v1beta1";

    private const string Root = $"/apis/{Group}/{Version}";

    /// <summary>Adds all paths.</summary>
    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/apis", () => Json(new JsonObject { ["kind"] = "APIGroupList", ["apiVersion"] = "v1", ["groups"] = new JsonArray(GroupObject()) }));
        routes.MapGet($"/apis/{Group}", () => Json(GroupObject()));
        routes.MapGet(Root, () => Json(Resources()));
        routes.MapGet($"{Root}/nodes", context => NodesAsync(context, null));
        routes.MapGet($"{Root}/nodes/{{name}}", context => NodesAsync(context, Value(context, "name")));
        routes.MapGet($"{Root}/pods", context => PodsAsync(context, null, null));
        routes.MapGet($"{Root}/namespaces/{{space}}/pods", context => PodsAsync(context, Value(context, "space"), null));
        routes.MapGet($"{Root}/namespaces/{{space}}/pods/{{name}}", context => PodsAsync(context, Value(context, "space"), Value(context, "name")));
    }

    private async Task NodesAsync(HttpContext context, string? name)
    {
        if (!await MayAsync(context, "nodes", null, name))
        {
            return;
        }

        IReadOnlyDictionary<string, V1ObjectMeta>? selected = name is null ? await SelectedAsync(
            context, async (labels, fields, token) => (await client.CoreV1.ListNodeAsync(labelSelector: labels, fieldSelector: fields, cancellationToken: token)).Items) : null;
        JsonNode[] found = [.. table.Nodes
            .Where(node => name is null ? selected is null || selected.ContainsKey(node.Key) : node.Key == name)
            .OrderBy(static node => node.Key, StringComparer.Ordinal)
            .Select(node => Item("NodeMetrics", Meta(node.Key, null, selected?.GetValueOrDefault(node.Key)), node.Value.Time, "usage", Usage(node.Value)))];
        await AnswerAsync(context, found, name, "NodeMetricsList", "nodes");
    }

    private async Task PodsAsync(HttpContext context, string? space, string? name)
    {
        if (!await MayAsync(context, "pods", space, name))
        {
            return;
        }

        IReadOnlyDictionary<string, V1ObjectMeta>? selected = name is null ? await SelectedAsync(
            context,
            async (labels, fields, token) => space is null
                ? (await client.CoreV1.ListPodForAllNamespacesAsync(labelSelector: labels, fieldSelector: fields, cancellationToken: token)).Items
                : (await client.CoreV1.ListNamespacedPodAsync(space, labelSelector: labels, fieldSelector: fields, cancellationToken: token)).Items) : null;
        JsonNode[] found = [.. table.Pods
            .Where(pod => (space is null || pod.Namespace == space) && (name is null ? selected is null || selected.ContainsKey(Key(pod.Namespace, pod.Name)) : pod.Name == name))
            .OrderBy(static pod => Key(pod.Namespace, pod.Name), StringComparer.Ordinal)
            .Select(pod => Item(
                "PodMetrics",
                Meta(pod.Name, pod.Namespace, selected?.GetValueOrDefault(Key(pod.Namespace, pod.Name))),
                pod.Containers.Values.Min(static use => use.Time),
                "containers",
                new JsonArray([.. pod.Containers.OrderBy(static container => container.Key, StringComparer.Ordinal)
                    .Select(static container => new JsonObject { ["name"] = container.Key, ["usage"] = Usage(container.Value) })])))];
        await AnswerAsync(context, found, name, "PodMetricsList", "pods");
    }

    /// <summary>Writes one object or a list; 404 when the one has no figures.</summary>
    private static Task AnswerAsync(HttpContext context, JsonNode[] found, string? name, string listKind, string resource) =>
        name is null ? WriteAsync(context, HttpStatusCode.OK, new JsonObject
        {
            ["kind"] = listKind, ["apiVersion"] = $"{Group}/{Version}", ["metadata"] = new JsonObject(), ["items"] = new JsonArray(found),
        })
        : found.Length == 1 ? WriteAsync(context, HttpStatusCode.OK, found[0])
        : RefuseAsync(context, HttpStatusCode.NotFound, "NotFound", $"There are no figures of '{name}' among the {resource} yet: it is gone, new, or its kubelet does not answer.");

    /// <summary>What a selector chooses, by name; null without one.</summary>
    private static async Task<IReadOnlyDictionary<string, V1ObjectMeta>?> SelectedAsync<T>(
        HttpContext context, Func<string?, string?, CancellationToken, Task<IList<T>>> list)
        where T : IKubernetesObject<V1ObjectMeta>
    {
        string? labels = context.Request.Query["labelSelector"], fields = context.Request.Query["fieldSelector"];
        return string.IsNullOrEmpty(labels) && string.IsNullOrEmpty(fields)
            ? null
            : (await list(labels, fields, context.RequestAborted)).ToDictionary(
                static item => item.Namespace() is { } space ? Key(space, item.Name()) : item.Name(), static item => item.Metadata, StringComparer.Ordinal);
    }

    private async Task<bool> MayAsync(HttpContext context, string resource, string? space, string? name)
    {
        string verb = name is null ? "list" : "get";
        V1ResourceAttributes wanted = new() { Group = Group, Version = Version, Resource = resource, Verb = verb, NamespaceProperty = space, Name = name };
        if (await access.AllowsAsync(context.Request.Headers, wanted, context.RequestAborted))
        {
            return true;
        }

        await RefuseAsync(context, HttpStatusCode.Forbidden, "Forbidden", $"{resource}.{Group} is forbidden: User \"{context.Request.Headers["X-Remote-User"]}\" cannot {verb} it here.");
        return false;
    }

    private JsonObject Item(string kind, JsonObject meta, DateTimeOffset time, string what, JsonNode value) => new()
    {
        ["kind"] = kind,
        ["apiVersion"] = $"{Group}/{Version}",
        ["metadata"] = meta,
        ["timestamp"] = time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
        ["window"] = string.Create(CultureInfo.InvariantCulture, $"{options.Interval.TotalSeconds:0}s"),
        [what] = value,
    };

    private static JsonObject Meta(string name, string? space, V1ObjectMeta? source)
    {
        JsonObject meta = new() { ["name"] = name };
        if (space is not null)
        {
            meta["namespace"] = space;
        }

        if (source?.Labels is { Count: > 0 } labels)
        {
            meta["labels"] = new JsonObject(labels.Select(static label => KeyValuePair.Create(label.Key, (JsonNode?)label.Value)));
        }

        return meta;
    }

    private static JsonObject Usage(ResourceUse use) => new()
    {
        ["cpu"] = string.Create(CultureInfo.InvariantCulture, $"{use.NanoCores}n"),
        ["memory"] = string.Create(CultureInfo.InvariantCulture, $"{use.WorkingSetBytes / 1024}Ki"),
    };

    private static JsonObject GroupObject()
    {
        JsonObject version() => new() { ["groupVersion"] = $"{Group}/{Version}", ["version"] = Version };
        return new JsonObject { ["kind"] = "APIGroup", ["apiVersion"] = "v1", ["name"] = Group, ["versions"] = new JsonArray(version()), ["preferredVersion"] = version() };
    }

    private static JsonObject Resources()
    {
        static JsonObject resource(string name, string kind, bool namespaced) =>
            new() { ["name"] = name, ["singularName"] = "", ["namespaced"] = namespaced, ["kind"] = kind, ["verbs"] = new JsonArray("get", "list") };
        return new JsonObject
        {
            ["kind"] = "APIResourceList",
            ["apiVersion"] = "v1",
            ["groupVersion"] = $"{Group}/{Version}",
            ["resources"] = new JsonArray(resource("nodes", "NodeMetrics", namespaced: false), resource("pods", "PodMetrics", namespaced: true)),
        };
    }

    /// <summary>An error as Kubernetes clients read it.</summary>
    internal static Task RefuseAsync(HttpContext context, HttpStatusCode status, string reason, string message) => WriteAsync(context, status, new JsonObject
    {
        ["kind"] = "Status", ["apiVersion"] = "v1", ["metadata"] = new JsonObject(), ["status"] = "Failure", ["message"] = message, ["reason"] = reason, ["code"] = (int)status,
    });

    private static Task WriteAsync(HttpContext context, HttpStatusCode status, JsonNode body)
    {
        context.Response.StatusCode = (int)status;
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(body.ToJsonString(JsonSerializerOptions.Web), context.RequestAborted);
    }

    private static IResult Json(JsonNode body) => Results.Text(body.ToJsonString(JsonSerializerOptions.Web), "application/json");

    private static string Value(HttpContext context, string name) => (string)context.Request.RouteValues[name]!;

    private static string Key(string space, string name) => $"{space}/{name}";
}
