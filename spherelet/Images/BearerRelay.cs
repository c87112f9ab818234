using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Vks.Spherelet.Images;

/// <summary>
/// Stands on a loopback port between the registry tool and a registry, and adds a bearer token to what passes. The tool takes such a token
/// on its command line only, where every user of the host could read it.
/// </summary>
/// <remarks>Reads only, and only for who knows its password, which is in a file of the tool's.</remarks>
internal sealed class BearerRelay : IAsyncDisposable
{
    private const string User = "vks";

    private static readonly string[] PassedBack = ["Docker-Content-Digest", "Docker-Distribution-Api-Version", "Accept-Ranges", "ETag"];

    private readonly WebApplication _app;
    private readonly HttpClient _client;
    private readonly Uri _registry;
    private readonly byte[] _authorization;

    private BearerRelay(Uri registry, string token, HttpMessageHandler handler)
    {
        _registry = registry;
        _client = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        _client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        string password = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        Credentials = new RegistryCredentials { Username = User, Password = password };
        _authorization = Encoding.ASCII.GetBytes("Basic " + Convert.ToBase64String(Encoding.ASCII.GetBytes($"{User}:{password}")));

        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = "/" });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(static kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPAddress.Loopback, 0, static listen => listen.Protocols = HttpProtocols.Http1);
        });
        _app = builder.Build();
        _app.Run(AnswerAsync);
    }

    /// <summary>Opens the relay; for its registry of <c>127.0.0.1:port</c>.</summary>
    public RegistryCredentials Credentials { get; private set; }

    /// <summary>Host and port.</summary>
    public string Host { get; private set; } = "";

    /// <summary>Starts a relay.</summary>
    /// <param name="image">Its registry is meant.</param>
    /// <param name="token">The token.</param>
    /// <param name="certificates">A certs.d beside the host's own, or null.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    public static async Task<BearerRelay> StartAsync(
        ImageReference image, string token, string? certificates, CancellationToken cancellationToken)
    {
        string host = image.Registry == "docker.io" ? "registry-1.docker.io" : image.Registry;
        Uri registry = new($"{(RegistryTrust.IsTakenAsItIs(image, certificates) ? "http" : "https")}://{host}");
        BearerRelay relay = new(registry, token, new SocketsHttpHandler
        {
            ConnectTimeout = TimeSpan.FromSeconds(30),
            SslOptions = Tls(RegistryTrust.Folders(certificates, image.Registry)),
        });
        await relay._app.StartAsync(cancellationToken);
        string address = relay._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        relay.Host = new Uri(address).Authority;
        relay.Credentials = relay.Credentials with { Registry = relay.Host };
        return relay;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _client.Dispose();
    }

    /// <summary>The host's CAs and those of the folders; client certificates of the folders.</summary>
    private static SslClientAuthenticationOptions Tls(string[] folders)
    {
        SslClientAuthenticationOptions options = new();
        string[] own = [.. folders.SelectMany(static folder => Directory.EnumerateFiles(folder, "*.crt"))];
        if (own.Length > 0)
        {
            X509ChainPolicy policy = new() { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            using X509Store roots = new(StoreName.Root, StoreLocation.LocalMachine, OpenFlags.ReadOnly);
            policy.CustomTrustStore.AddRange(roots.Certificates);
            Array.ForEach(own, policy.CustomTrustStore.ImportFromPemFile);
            options.CertificateChainPolicy = policy;
        }

        options.ClientCertificates = [.. folders
            .SelectMany(static folder => Directory.EnumerateFiles(folder, "*.cert"))
            .Select(static path => X509Certificate2.CreateFromPemFile(path, Path.ChangeExtension(path, ".key")))];
        return options;
    }

    private async Task AnswerAsync(HttpContext context)
    {
        HttpRequest request = context.Request;
        byte[] authorization = Encoding.ASCII.GetBytes(request.Headers.Authorization.ToString());
        if (!CryptographicOperations.FixedTimeEquals(authorization, _authorization))
        {
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            context.Response.Headers.WWWAuthenticate = "Basic realm=\"vks\"";
        }
        else if (!(HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method)) || !request.Path.StartsWithSegments("/v2"))
        {
            context.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
        }
        else if (request.Path.Value is not ("/v2/" or "/v2"))
        {
            await PassAsync(context);
        }
    }

    private async Task PassAsync(HttpContext context)
    {
        using HttpRequestMessage request = new(new HttpMethod(context.Request.Method), new Uri(_registry, context.Request.Path + context.Request.QueryString.ToUriComponent()));
        foreach (string name in new[] { "Accept", "Range", "User-Agent" })
        {
            request.Headers.TryAddWithoutValidation(name, context.Request.Headers[name].AsEnumerable());
        }

        HttpResponse answer = context.Response;
        try
        {
            using HttpResponseMessage response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, context.RequestAborted);
            answer.StatusCode = (int)response.StatusCode;
            answer.ContentType = response.Content.Headers.ContentType?.ToString();
            answer.ContentLength = response.Content.Headers.ContentLength;
            foreach (string name in PassedBack.Where(name => response.Headers.Contains(name)))
            {
                answer.Headers[name] = response.Headers.GetValues(name).ToArray();
            }

            await response.Content.CopyToAsync(answer.Body, context.RequestAborted);
        }
        catch (Exception e) when (e is HttpRequestException or IOException && !answer.HasStarted)
        {
            answer.Clear();
            answer.StatusCode = StatusCodes.Status502BadGateway;
            await answer.WriteAsync(e.Message, context.RequestAborted);
        }
    }
}
