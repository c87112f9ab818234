using System.Net;
using System.Net.Sockets;
using CliWrap;
using CliWrap.Buffered;

namespace Vks.Bench.Arms;

/// <summary>A registry of the benchmark's own, on a free port of 127.0.0.1, with the images that all arms pull.</summary>
internal sealed class BenchRegistry : IAsyncDisposable
{
    private readonly Service _service;
    private readonly string _pauseLayout;

    private BenchRegistry(Service service, string host, string pauseLayout) => (_service, Host, _pauseLayout) = (service, host, pauseLayout);

    /// <summary>Host and port.</summary>
    public string Host { get; }

    /// <summary>A small image with a shell: what pods run.</summary>
    public string Image => $"{Host}/vks/demo:latest";

    /// <summary>The same with a file of <see cref="DataMiB"/> MiB: what is pulled.</summary>
    public string DataImage => $"{Host}/vks/data:latest";

    /// <summary>Sandbox image for runtimes that start a process for each sandbox.</summary>
    public string PauseImage => $"{Host}/vks/pause:latest";

    /// <summary>Size of the file in <see cref="DataImage"/>, MiB.</summary>
    public const int DataMiB = 32;

    /// <summary>Starts the registry and fills it.</summary>
    /// <param name="directory">Folder for its storage and configuration.</param>
    /// <param name="demoLayout">OCI layout of the demo image, tag <c>demo</c>.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="BenchException">docker-registry or skopeo failed.</exception>
    public static async Task<BenchRegistry> StartAsync(string directory, string demoLayout, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(directory);
        int port = FreePort();
        string config = Path.Combine(directory, "registry.yml");
        await File.WriteAllTextAsync(config, $$"""
            version: 0.1
            log: { level: error, accesslog: { disabled: true } }
            storage: { filesystem: { rootdirectory: {{directory}}/data } }
            http: { addr: 127.0.0.1:{{port}} }
            """, cancellationToken);
        Service service = await Service.StartAsync(
            Service.Find("docker-registry", "docker-registry"), ["serve", config], new IPEndPoint(IPAddress.Loopback, port), cancellationToken);
        string pause = Path.Combine(directory, "pause");
        BenchRegistry registry = new(service, $"127.0.0.1:{port}", pause);
        try
        {
            string data = Path.Combine(directory, "image");
            OciLayout.WriteProgram(pause, TinyProgram.Build(""));
            OciLayout.WriteWithData(demoLayout, data, DataMiB);
            await PushAsync($"{demoLayout}:demo", registry.Image, cancellationToken);
            await PushAsync($"{data}:{OciLayout.Tag}", registry.DataImage, cancellationToken);
            await PushAsync($"{pause}:{OciLayout.Tag}", registry.PauseImage, cancellationToken);
            return registry;
        }
        catch
        {
            await registry.DisposeAsync();
            throw;
        }
    }

    /// <summary>Puts the sandbox image into another registry.</summary>
    /// <param name="image">Its whole name there.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    public Task PushPauseAsync(string image, CancellationToken cancellationToken) => PushAsync($"{_pauseLayout}:{OciLayout.Tag}", image, cancellationToken);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _service.DisposeAsync();

    private static async Task PushAsync(string layout, string image, CancellationToken cancellationToken)
    {
        BufferedCommandResult result = await Cli.Wrap(Service.Find("skopeo", "skopeo"))
            .WithArguments(["copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false", $"oci:{layout}", $"docker://{image}"])
            .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(cancellationToken);
        if (!result.IsSuccess)
        {
            throw new BenchException($"skopeo could not push {layout} to {image}: {result.StandardError.Trim()}");
        }
    }

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
