using System.Buffers.Text;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using System.Web;

namespace Vks.Tests.Kit;

/// <summary>The service that hands out bearer tokens for a registry: to a user by password, to the holder of a refresh token, and worthless ones to anybody.</summary>
internal sealed class TokenService : IAsyncDisposable
{
    /// <summary>Who signs.</summary>
    public const string Issuer = "vks-test-issuer";

    /// <summary>Whom tokens are for.</summary>
    public const string Audience = "vks-test-registry";

    /// <summary>What CRI calls an identity token.</summary>
    public const string RefreshToken = "refresh-me-4711";

    private readonly HttpListener _listener = new();
    private readonly RSA _key = RSA.Create(2048);
    private readonly X509Certificate2 _certificate;
    private readonly List<string> _grants = [];
    private readonly Task _serving;

    private TokenService(int port)
    {
        CertificateRequest request = new($"CN={Issuer}", _key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        _certificate = request.CreateSelfSigned(now.AddHours(-1), now.AddHours(1));
        Realm = $"http://127.0.0.1:{port}/token";
        _listener.Prefixes.Add($"http://127.0.0.1:{port}/");
        _listener.Start();
        _serving = ServeAsync();
    }

    /// <summary>Where tokens are asked for.</summary>
    public string Realm { get; }

    /// <summary>What the registry trusts, PEM.</summary>
    public string CertificatePem => _certificate.ExportCertificatePem();

    /// <summary>How tokens were asked for: <c>anonymous</c>, <c>password</c>, <c>refresh</c>, <c>refused</c>.</summary>
    public string[] Grants
    {
        get
        {
            lock (_grants)
            {
                return [.. _grants];
            }
        }
    }

    /// <summary>Starts the service.</summary>
    public static TokenService Start()
    {
        using TcpListener free = new(IPAddress.Loopback, 0);
        free.Start();
        int port = ((IPEndPoint)free.LocalEndpoint).Port;
        free.Stop();
        return new TokenService(port);
    }

    /// <summary>A token that opens repositories for a minute.</summary>
    /// <param name="scopes">As registries ask for them: <c>repository:name:pull</c>.</param>
    public string Issue(params string[] scopes)
    {
        JsonArray access = [];
        foreach (string[] scope in scopes.Select(scope => scope.Split(':')).Where(scope => scope.Length == 3))
        {
            access.Add(new JsonObject { ["type"] = scope[0], ["name"] = scope[1], ["actions"] = new JsonArray([.. scope[2].Split(',').Select(action => JsonValue.Create(action))]) });
        }

        long now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        JsonObject header = new() { ["typ"] = "JWT", ["alg"] = "RS256", ["x5c"] = new JsonArray(Convert.ToBase64String(_certificate.RawData)) };
        JsonObject claims = new()
        {
            ["iss"] = Issuer,
            ["sub"] = Registry.User,
            ["aud"] = Audience,
            ["iat"] = now - 10,
            ["nbf"] = now - 10,
            ["exp"] = now + 60,
            ["jti"] = Guid.NewGuid().ToString("N"),
            ["access"] = access,
        };
        string text = Encode(header) + "." + Encode(claims);
        return text + "." + Base64Url.EncodeToString(_key.SignData(Encoding.ASCII.GetBytes(text), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _listener.Close();
        await _serving;
        _certificate.Dispose();
        _key.Dispose();
    }

    private static string Encode(JsonObject json) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json.ToJsonString()));

    private async Task ServeAsync()
    {
        while (true)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                return;
            }

            await AnswerAsync(context);
        }
    }

    private async Task AnswerAsync(HttpListenerContext context)
    {
        using StreamReader reader = new(context.Request.InputStream);
        System.Collections.Specialized.NameValueCollection form = HttpUtility.ParseQueryString(
            context.Request.HttpMethod == "POST" ? await reader.ReadToEndAsync() : context.Request.Url!.Query);
        string basic = "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{Registry.User}:{Registry.Password}"));
        string? authorization = context.Request.Headers["Authorization"];
        string grant = form["grant_type"] == "refresh_token" ? (form["refresh_token"] == RefreshToken ? "refresh" : "refused")
            : authorization is null ? "anonymous"
            : authorization == basic ? "password"
            : "refused";
        lock (_grants)
        {
            _grants.Add(grant);
        }

        string token = Issue(grant is "refresh" or "password" ? form.GetValues("scope") ?? [] : []);
        context.Response.StatusCode = grant == "refused" ? 401 : 200;
        context.Response.ContentType = "application/json";
        byte[] body = Encoding.UTF8.GetBytes(new JsonObject { ["token"] = token, ["access_token"] = token, ["expires_in"] = 60 }.ToJsonString());
        await context.Response.OutputStream.WriteAsync(grant == "refused" ? "{}"u8.ToArray() : body);
        context.Response.Close();
    }
}
