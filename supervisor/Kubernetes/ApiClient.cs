using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using k8s;
using k8s.Exceptions;
using k8s.Models;

namespace Vks.Supervisor.Kubernetes;

/// <summary>
/// The verbs of the Kubernetes API for any kind, one method each. The package's own client does connections, credentials and kubeconfigs; its
/// generated methods cover the built-in kinds only, and its generic client neither lists in pages nor watches from a given version on.
/// </summary>
internal sealed class ApiClient : IDisposable
{
    private const int PageSize = 500;

    /// <summary>An answer that takes longer than this counts as none.</summary>
    private static readonly TimeSpan s_answerLimit = TimeSpan.FromSeconds(30);

    /// <summary>The server ends a watch after this time; a new one continues. Keeps connections from living for ever.</summary>
    private const int WatchSeconds = 290;

    private ApiClient(k8s.Kubernetes package) => Package = package;

    /// <summary>The package's client, for what it does better (leader election).</summary>
    public k8s.Kubernetes Package { get; }

    /// <summary>The server's address.</summary>
    public Uri Server => Package.BaseUri;

    /// <summary>Connects to the server of a kubeconfig.</summary>
    /// <param name="kubeconfig">File; null for <c>$KUBECONFIG</c>, the pod's service account, or <c>~/.kube/config</c>.</param>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Settings"/>: the file is missing or wrong.</exception>
    public static ApiClient Open(string? kubeconfig)
    {
        try
        {
            KubernetesClientConfiguration config = kubeconfig is null
                ? KubernetesClientConfiguration.BuildDefaultConfig()
                : KubernetesClientConfiguration.BuildConfigFromConfigFile(new FileInfo(kubeconfig));
            config.HttpClientTimeout = Timeout.InfiniteTimeSpan;

            // A peer that vanished (a floating address that moved) is noticed by pings, not by the kernel's quarter of an hour.
            config.FirstMessageHandlerSetup = static handler =>
            {
                handler.ConnectTimeout = TimeSpan.FromSeconds(5);
                handler.KeepAlivePingDelay = TimeSpan.FromSeconds(5);
                handler.KeepAlivePingTimeout = TimeSpan.FromSeconds(5);
                handler.KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests;
                handler.EnableMultipleHttp2Connections = true;
            };
            return new ApiClient(new k8s.Kubernetes(config));
        }
        catch (Exception problem) when (problem is KubeConfigException or IOException or KubernetesClientException or YamlDotNet.Core.YamlException or FormatException)
        {
            throw new SupervisorException(
                SupervisorFault.Settings,
                $"No Kubernetes API server is known: {kubeconfig ?? "the default kubeconfig"} could not be used: {problem.Message.TrimEnd('.')}. Name one with --kubeconfig.", problem);
        }
    }

    /// <summary>One object, or null when there is none.</summary>
    public async Task<T?> FindAsync<T>(string? space, string name, CancellationToken cancellationToken)
        where T : class
    {
        try
        {
            return await SendAsync<T>(HttpMethod.Get, ApiResource.For<T>().Path(space, name), null, null, cancellationToken);
        }
        catch (ApiException missing) when (missing.Fault == ApiFault.NotFound)
        {
            return null;
        }
    }

    /// <summary>All objects of a kind, read in pages, and the version of the list to watch from.</summary>
    /// <param name="space">Namespace, or null for all.</param>
    /// <param name="selectors">Label selector, or null.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    public async Task<(IReadOnlyList<T> Items, string Version)> ListAsync<T>(string? space, string? selectors, CancellationToken cancellationToken)
    {
        List<T> items = [];
        string? more = null;
        ObjectList<T> page;
        do
        {
            string query = $"?limit={PageSize}{Query("labelSelector", selectors)}{Query("continue", more)}";
            page = await SendAsync<ObjectList<T>>(HttpMethod.Get, ApiResource.For<T>().Path(space, null) + query, null, null, cancellationToken);
            items.AddRange(page.Items ?? []);
            more = page.Metadata.ContinueProperty;
        }
        while (!string.IsNullOrEmpty(more));
        return (items, page.Metadata.ResourceVersion);
    }

    /// <summary>Changes from a version on, until the server or the caller ends it.</summary>
    /// <exception cref="ApiException"><see cref="ApiFault.Expired"/>: list anew.</exception>
    public async IAsyncEnumerable<(WatchEventType Type, T Item)> WatchAsync<T>(
        string? selectors, string version, [EnumeratorCancellation] CancellationToken cancellationToken)
        where T : class
    {
        string path = ApiResource.For<T>().Path(null, null)
            + $"?watch=true&allowWatchBookmarks=true&timeoutSeconds={WatchSeconds}{Query("labelSelector", selectors)}{Query("resourceVersion", version)}";
        using HttpResponseMessage answer = await ConnectAsync(HttpMethod.Get, path, null, null, cancellationToken);
        using StreamReader lines = new(await answer.Content.ReadAsStreamAsync(cancellationToken));
        while (await ReadLineAsync(lines, path, cancellationToken) is { } line)
        {
            using JsonDocument change = JsonDocument.Parse(line);
            JsonElement item = change.RootElement.GetProperty("object");
            WatchEventType type = Enum.Parse<WatchEventType>(change.RootElement.GetProperty("type").GetString()!, ignoreCase: true);
            if (type == WatchEventType.Error)
            {
                V1Status status = KubernetesJson.Deserialize<V1Status>(item.GetRawText());
                throw new ApiException(status.Code == 410 ? ApiFault.Expired : ApiFault.Other, $"watch of {path}", status.Message ?? "ended by the server");
            }

            yield return (type, KubernetesJson.Deserialize<T>(item.GetRawText()));
        }
    }

    /// <summary>Makes an object.</summary>
    /// <exception cref="ApiException"><see cref="ApiFault.Conflict"/>: there is one of that name.</exception>
    public Task<T> CreateAsync<T>(T item, CancellationToken cancellationToken)
        where T : IKubernetesObject<V1ObjectMeta> =>
        SendAsync<T>(HttpMethod.Post, ApiResource.For<T>().Path(item.Metadata.NamespaceProperty, null), Write(item), null, cancellationToken);

    /// <summary>Writes an object back. Its resource version must be the current one.</summary>
    /// <exception cref="ApiException"><see cref="ApiFault.Conflict"/>: it was changed since it was read.</exception>
    public Task<T> ReplaceAsync<T>(T item, CancellationToken cancellationToken)
        where T : IKubernetesObject<V1ObjectMeta> =>
        SendAsync<T>(HttpMethod.Put, ApiResource.For<T>().Path(item.Metadata.NamespaceProperty, item.Metadata.Name), Write(item), null, cancellationToken);

    /// <summary>Writes an object's status back. Its resource version must be the current one.</summary>
    /// <exception cref="ApiException"><see cref="ApiFault.Conflict"/>: it was changed since it was read.</exception>
    public Task<T> ReplaceStatusAsync<T>(T item, CancellationToken cancellationToken)
        where T : IKubernetesObject<V1ObjectMeta> =>
        SendAsync<T>(HttpMethod.Put, ApiResource.For<T>().Path(item.Metadata.NamespaceProperty, item.Metadata.Name, "status"), Write(item), null, cancellationToken);

    /// <summary>Changes some fields of an object by a JSON merge patch (RFC 7386).</summary>
    public Task<T> MergeAsync<T>(string? space, string name, JsonNode patch, CancellationToken cancellationToken) =>
        SendAsync<T>(HttpMethod.Patch, ApiResource.For<T>().Path(space, name), patch.ToJsonString(), "application/merge-patch+json", cancellationToken);

    /// <summary>Removes exactly this object; one of the same name that was made since is left alone. Without effect when it is gone.</summary>
    public async Task DeleteAsync<T>(T item, CancellationToken cancellationToken)
        where T : IKubernetesObject<V1ObjectMeta>
    {
        var options = new V1DeleteOptions { PropagationPolicy = "Background", Preconditions = new V1Preconditions { Uid = item.Metadata.Uid } };
        try
        {
            await SendAsync<JsonNode>(
                HttpMethod.Delete, ApiResource.For<T>().Path(item.Metadata.NamespaceProperty, item.Metadata.Name), Write(options), null, cancellationToken);
        }
        catch (ApiException gone) when (gone.Fault is ApiFault.NotFound or ApiFault.Conflict)
        {
            // Gone, or another object by now.
        }
    }

    /// <summary>Any call with any body: manifests, bindings, reviews.</summary>
    public Task<JsonNode> SendAsync(HttpMethod method, string path, JsonNode? body, CancellationToken cancellationToken) =>
        SendAsync<JsonNode>(method, path, body?.ToJsonString(), null, cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => Package.Dispose();

    private async Task<T> SendAsync<T>(HttpMethod method, string path, string? body, string? type, CancellationToken cancellationToken)
    {
        using HttpResponseMessage answer = await ConnectAsync(method, path, body, type, cancellationToken);
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_answerLimit);
        try
        {
            return KubernetesJson.Deserialize<T>(await answer.Content.ReadAsStringAsync(limit.Token));
        }
        catch (Exception problem) when (Transport(problem, cancellationToken))
        {
            throw Unreachable(method, path, problem);
        }
    }

    private async Task<HttpResponseMessage> ConnectAsync(HttpMethod method, string path, string? body, string? type, CancellationToken cancellationToken)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_answerLimit);
        using HttpRequestMessage request = new(method, new Uri(Server, path)) { Version = Package.HttpClient.DefaultRequestVersion };
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        request.Content = body is null ? null : new StringContent(body, Encoding.UTF8, type ?? "application/json");
        HttpResponseMessage answer;
        try
        {
            if (Package.Credentials is { } credentials)
            {
                await credentials.ProcessHttpRequestAsync(request, limit.Token);
            }

            answer = await Package.HttpClient.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
        }
        catch (Exception problem) when (Transport(problem, cancellationToken))
        {
            throw Unreachable(method, path, problem);
        }

        if (answer.IsSuccessStatusCode)
        {
            return answer;
        }

        using (answer)
        {
            string text = await answer.Content.ReadAsStringAsync(cancellationToken);
            throw new ApiException(ApiException.FaultOf(answer.StatusCode), $"{method} {new Uri(Server, path)}", Words(answer, text));
        }
    }

    private static async Task<string?> ReadLineAsync(StreamReader lines, string path, CancellationToken cancellationToken)
    {
        try
        {
            return await lines.ReadLineAsync(cancellationToken);
        }
        catch (Exception problem) when (Transport(problem, cancellationToken))
        {
            throw new ApiException(ApiFault.Unreachable, $"watch of {path}", problem.Message, problem);
        }
    }

    private static bool Transport(Exception problem, CancellationToken cancellationToken) =>
        problem is HttpRequestException or IOException || (problem is OperationCanceledException && !cancellationToken.IsCancellationRequested);

    private ApiException Unreachable(HttpMethod method, string path, Exception problem)
    {
        string words = problem is OperationCanceledException ? $"no answer within {s_answerLimit.TotalSeconds} s" : problem.Message;
        return new ApiException(ApiFault.Unreachable, $"{method} {new Uri(Server, path)}", words, problem);
    }

    private static string Words(HttpResponseMessage answer, string text)
    {
        try
        {
            return KubernetesJson.Deserialize<V1Status>(text).Message ?? $"{(int)answer.StatusCode} {answer.ReasonPhrase}";
        }
        catch (JsonException)
        {
            return $"{(int)answer.StatusCode} {answer.ReasonPhrase} {text}";
        }
    }

    private static string Write(object item) => KubernetesJson.Serialize(item);

    private static string Query(string name, string? value) => string.IsNullOrEmpty(value) ? "" : $"&{name}={Uri.EscapeDataString(value)}";

    /// <summary>A page of any kind's list.</summary>
    private sealed class ObjectList<T>
    {
        public V1ListMeta Metadata { get; set; } = new();

        public List<T>? Items { get; set; }
    }
}
