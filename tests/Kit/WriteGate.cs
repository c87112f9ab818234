using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Vks.Tests.Kit;

/// <summary>
/// Stands between a Supervisor and its API server, and holds one of its writes: before the server has it, or when the server has done it and the answer is
/// on its way. Whoever is killed then was in the middle of something.
/// </summary>
internal sealed class WriteGate : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly HttpClient _server;
    private readonly string _about;
    private readonly HashSet<string> _kinds = [];
    private TaskCompletionSource<string>? _held;
    private TaskCompletionSource _release = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _after;

    private WriteGate(HttpClient server, string about, int port)
    {
        (_server, _about) = (server, about);
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        _app = builder.Build();
        _app.Run(PassAsync);
        Kubeconfig = Path.GetTempFileName();
        File.WriteAllText(Kubeconfig, $$"""
            apiVersion: v1
            kind: Config
            clusters: [{ name: gate, cluster: { server: "http://127.0.0.1:{{port}}" } }]
            users: [{ name: nobody, user: { token: none } }]
            contexts: [{ name: gate, context: { cluster: gate, user: nobody } }]
            current-context: gate
            """);
    }

    /// <summary>Leads through the gate.</summary>
    public string Kubeconfig { get; }

    /// <summary>Opens a gate to a server, as the user of a certificate.</summary>
    /// <param name="server">The API server.</param>
    /// <param name="folder">Holds <c>ca.crt</c>, and <c>vks-supervisor.crt</c> and <c>.key</c>.</param>
    /// <param name="about">Only writes that name this are held.</param>
    public static async Task<WriteGate> OpenAsync(Uri server, string folder, string about)
    {
        using X509Certificate2 read = X509Certificate2.CreateFromPemFile(Path.Combine(folder, "vks-supervisor.crt"), Path.Combine(folder, "vks-supervisor.key"));
        X509Certificate2 authority = X509Certificate2.CreateFromPem(await File.ReadAllTextAsync(Path.Combine(folder, "ca.crt")));
        SocketsHttpHandler handler = new();
        handler.SslOptions.ClientCertificates = [X509CertificateLoader.LoadPkcs12(read.Export(X509ContentType.Pkcs12), null)];
        handler.SslOptions.RemoteCertificateValidationCallback = (_, _, chain, _) =>
        {
            chain!.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            chain.ChainPolicy.CustomTrustStore.Add(authority);
            return chain.Build((X509Certificate2)chain.ChainElements[0].Certificate);
        };
        WriteGate gate = new(new HttpClient(handler) { BaseAddress = server, Timeout = Timeout.InfiniteTimeSpan }, about, ClusterLab.FreePort());
        await gate._app.StartAsync();
        return gate;
    }

    /// <summary>Holds the next write of a kind (verb and resource) of which none was held yet.</summary>
    /// <param name="after">When the server has done it, and not before it has it.</param>
    /// <returns>Completes with the kind of the write once it is held: <c>POST limitranges</c>, <c>PUT supervisornamespaces/status</c>.</returns>
    public Task<string> HoldNew(bool after)
    {
        _after = after;
        _release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _held = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        return _held.Task;
    }

    /// <summary>Lets everything through, and breaks the connection of what is held.</summary>
    public void Release()
    {
        _held = null;
        _release.TrySetResult();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Release();
        await _app.StopAsync();
        await _app.DisposeAsync();
        _server.Dispose();
        File.Delete(Kubeconfig);
    }

    private async Task PassAsync(HttpContext context)
    {
        HttpRequest asked = context.Request;
        using StreamReader reader = new(asked.Body);
        string body = await reader.ReadToEndAsync(context.RequestAborted);
        string path = asked.Path + asked.QueryString;
        string kind = Kind(asked);
        TaskCompletionSource<string>? held = IsWrite(asked.Method, path, body) ? ToHold(kind) : null;
        if (held is not null && !_after)
        {
            await HoldAsync(held, context, kind);
            return;
        }

        using HttpRequestMessage request = new(new HttpMethod(asked.Method), path);
        if (body.Length > 0)
        {
            request.Content = new StringContent(body);
            request.Content.Headers.ContentType = System.Net.Http.Headers.MediaTypeHeaderValue.Parse(asked.ContentType!);
        }

        using HttpResponseMessage answer = await _server.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, context.RequestAborted);
        if (held is not null)
        {
            await HoldAsync(held, context, kind);
            return;
        }

        context.Response.StatusCode = (int)answer.StatusCode;
        context.Response.ContentType = answer.Content.Headers.ContentType?.ToString();
        Stream from = await answer.Content.ReadAsStreamAsync(context.RequestAborted);
        byte[] buffer = new byte[65536];
        int count;
        while ((count = await from.ReadAsync(buffer, context.RequestAborted)) > 0)
        {
            await context.Response.Body.WriteAsync(buffer.AsMemory(0, count), context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
        }
    }

    private TaskCompletionSource<string>? ToHold(string kind)
    {
        lock (_kinds)
        {
            if (_held is not { } held || !_kinds.Add(kind))
            {
                return null;
            }

            _held = null;
            return held;
        }
    }

    // /api/VERSION/… or /apis/GROUP/VERSION/…, then namespaces/NAME/ for what is in one, then resource/name/subresource.
    private static string Kind(HttpRequest asked)
    {
        string[] parts = asked.Path.Value!.Split('/', StringSplitOptions.RemoveEmptyEntries);
        parts = parts[(parts[0] == "api" ? 2 : 3)..];
        parts = parts is ["namespaces", _, _, ..] ? parts[2..] : parts;
        return parts is [var resource, _, var part, ..] ? $"{asked.Method} {resource}/{part}" : $"{asked.Method} {parts.FirstOrDefault()}";
    }

    private async Task HoldAsync(TaskCompletionSource<string> held, HttpContext context, string what)
    {
        held.TrySetResult(what);
        await _release.Task;
        context.Abort();
    }

    // Leases and events are made all the time and decide nothing; what zones say of their namespaces is another controller's.
    private bool IsWrite(string method, string path, string body) =>
        method is "POST" or "PUT" or "PATCH" or "DELETE" && !path.Contains("/leases", StringComparison.Ordinal) && !path.Contains("/events", StringComparison.Ordinal) && !path.Contains("/availabilityzones", StringComparison.Ordinal)
        && (path.Contains(_about, StringComparison.Ordinal) || body.Contains(_about, StringComparison.Ordinal));
}
