using System.Net;
using System.Net.Sockets;
using System.Text;
using CliWrap;

namespace Vks.Tests.Kit;

/// <summary>A real docker-registry on a port of 127.0.0.1, with its storage in a folder of its own.</summary>
internal sealed class Registry : IAsyncDisposable
{
    /// <summary>The user of registries that ask for one.</summary>
    public const string User = "anna";

    /// <summary>That user's password.</summary>
    public const string Password = "correct horse";

    // bcrypt, the only kind that docker-registry takes, of the password above.
    private const string PasswordHash = "$2y$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2";

    private static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(20);

    private readonly StringBuilder _log = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly string _folder;
    private readonly int _port;
    private readonly string _auth;
    private readonly string _tls;
    private CommandTask<CommandResult>? _process;

    private Registry(string folder, int port, string auth, string tls) => (_folder, _port, _auth, _tls) = (folder, port, auth, tls);

    /// <summary>Host and port, the first part of references.</summary>
    public string Host => $"127.0.0.1:{_port}";

    /// <summary>What the registry said.</summary>
    public string Log
    {
        get
        {
            lock (_log)
            {
                return _log.ToString();
            }
        }
    }

    /// <summary>Requests that the registry answered whose log line has all of these words.</summary>
    public int CountRequests(params string[] words) => Log.Split('\n').Count(line => line.Contains("response completed", StringComparison.Ordinal) && Array.TrueForAll(words, word => line.Contains(word, StringComparison.Ordinal)));

    /// <summary>Starts a registry and waits until it answers.</summary>
    /// <param name="asksPassword">Asks for basic authentication as <see cref="User"/>.</param>
    /// <param name="tokens">Asks for bearer tokens of this service.</param>
    /// <param name="authority">Serves TLS with a certificate of this authority.</param>
    public static async Task<Registry> StartAsync(bool asksPassword = false, TokenService? tokens = null, TestAuthority? authority = null)
    {
        string folder = Directory.CreateTempSubdirectory("vks-test-registry-").FullName;
        string auth = "";
        if (asksPassword)
        {
            await File.WriteAllTextAsync(Path.Combine(folder, "htpasswd"), $"{User}:{PasswordHash}\n");
            auth = $"auth:\n  htpasswd:\n    realm: vks\n    path: {folder}/htpasswd\n";
        }
        else if (tokens is not null)
        {
            await File.WriteAllTextAsync(Path.Combine(folder, "issuer.pem"), tokens.CertificatePem);
            auth = $"auth:\n  token:\n    realm: {tokens.Realm}\n    service: {TokenService.Audience}\n    issuer: {TokenService.Issuer}\n    rootcertbundle: {folder}/issuer.pem\n";
        }

        string tls = "";
        if (authority is not null)
        {
            (string certificate, string key) = authority.IssueForLoopback();
            await File.WriteAllTextAsync(Path.Combine(folder, "server.crt"), certificate);
            await File.WriteAllTextAsync(Path.Combine(folder, "server.key"), key);
            tls = $"  tls:\n    certificate: {folder}/server.crt\n    key: {folder}/server.key\n";
        }

        using TcpListener free = new(IPAddress.Loopback, 0);
        free.Start();
        int port = ((IPEndPoint)free.LocalEndpoint).Port;
        free.Stop();
        Registry registry = new(folder, port, auth, tls);
        await registry.RunAsync();
        return registry;
    }

    /// <summary>A layer's, config's or manifest's file in the registry's storage.</summary>
    public string BlobFile(string digest)
    {
        string hex = digest["sha256:".Length..];
        return Path.Combine(_folder, "data", "docker", "registry", "v2", "blobs", "sha256", hex[..2], hex, "data");
    }

    /// <summary>Stops the registry; its storage stays.</summary>
    public async Task StopAsync()
    {
        if (_process is null)
        {
            return;
        }

        await _stop.CancelAsync();
        try
        {
            await _process;
        }
        catch (OperationCanceledException)
        {
            // As asked.
        }

        _process = null;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    private async Task RunAsync()
    {
        string config = Path.Combine(_folder, "config.yml");
        await File.WriteAllTextAsync(config, $"""
            version: 0.1
            log:
              level: info
              accesslog:
                disabled: true
            storage:
              filesystem:
                rootdirectory: {_folder}/data
            http:
              addr: 127.0.0.1:{_port}
            {_tls}{_auth}
            """);
        TaskCompletionSource listening = new(TaskCreationOptions.RunContinuationsAsynchronously);
        PipeTarget log = PipeTarget.ToDelegate(line =>
        {
            lock (_log)
            {
                _log.AppendLine(line);
            }

            if (line.Contains("listening on", StringComparison.Ordinal))
            {
                listening.TrySetResult();
            }
        });
        _process = Cli.Wrap("docker-registry").WithArguments(["serve", config]).WithStandardOutputPipe(log).WithStandardErrorPipe(log)
            .WithValidation(CommandResultValidation.None).ExecuteAsync(_stop.Token);
        Task first = await Task.WhenAny(listening.Task, _process.Task, Task.Delay(StartDeadline));
        if (first != listening.Task)
        {
            throw new InvalidOperationException($"docker-registry is not listening on {Host}: {Log}");
        }
    }
}
