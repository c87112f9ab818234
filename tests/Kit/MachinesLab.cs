using System.Globalization;
using System.Net;
using System.Net.Sockets;
using CliWrap;
using Grpc.Net.Client;
using Vks.Supervisor.Hosts;

namespace Vks.Tests.Kit;

/// <summary>A daemon with the machines API on loopback, its certificates, and clients of it. Taken down with proof that nothing is left.</summary>
internal sealed class MachinesLab : IAsyncDisposable
{
    private readonly string[] _arguments;
    private readonly List<GrpcChannel> _channels = [];

    private MachinesLab(int port, string[] arguments)
    {
        Address = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}");
        Host = new HostSettings("host-a", "a", []) { Spherelet = "https://" + Address };
        _arguments =
        [
            "--machines-address", Address, "--machines-cert-file", Path.Combine(Directory, "tls", "tls.crt"), "--machines-key-file", Path.Combine(Directory, "tls", "tls.key"),
            "--machines-client-ca-file", Path.Combine(Directory, "tls", "ca.crt"), "--template-budget-mib", "0", "--cni-config-directory", Path.Combine(Directory, "cni"), .. arguments,
        ];
        Pki = new SphereletPki(Path.Combine(Directory, "pki"), TimeProvider.System);
    }

    /// <summary>Everything of this lab lies below it.</summary>
    public string Directory { get; } = Path.Combine("/tmp", string.Create(CultureInfo.InvariantCulture, $"vks-test-{Random.Shared.Next():x8}"));

    /// <summary>Where the API is served.</summary>
    public string Address { get; }

    /// <summary>The host as a Supervisor has it in its settings.</summary>
    public HostSettings Host { get; }

    /// <summary>By which both sides know each other.</summary>
    public SphereletPki Pki { get; }

    /// <summary>The daemon.</summary>
    public SphereletProcess Daemon { get; private set; } = null!;

    /// <summary>A client with a certificate of the authority.</summary>
    public Vks.Machines.V1.Machines.MachinesClient Client => ClientOf(SphereletMemberHost.Handler(Pki));

    /// <summary>Starts it.</summary>
    public static async Task<MachinesLab> StartAsync(CancellationToken cancellationToken, params string[] arguments)
    {
        MachinesLab lab = new(FreePort(), arguments);
        System.IO.Directory.CreateDirectory(Path.Combine(lab.Directory, "cni"));
        lab.Pki.Ensure("lab");
        lab.Pki.IssueFor(lab.Host, Path.Combine(lab.Directory, "tls"));
        await lab.StartDaemonAsync(cancellationToken);
        return lab;
    }

    /// <summary>Starts the daemon anew on the same folders, after SIGKILL.</summary>
    public async Task RestartDaemonAsync(CancellationToken cancellationToken)
    {
        await Daemon.DisposeAsync();
        await StartDaemonAsync(cancellationToken);
    }

    /// <summary>A client over connections of one's own making.</summary>
    public Vks.Machines.V1.Machines.MachinesClient ClientOf(SocketsHttpHandler handler) => new(ChannelOf(handler));

    /// <summary>A channel to the API's listener.</summary>
    public GrpcChannel ChannelOf(SocketsHttpHandler handler)
    {
        GrpcChannel channel = GrpcChannel.ForAddress(Host.Spherelet, new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true });
        _channels.Add(channel);
        return channel;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _channels.ForEach(static channel => channel.Dispose());
        await Daemon.DisposeAsync();

        // What a failed test left running ends with this, by the daemon's own word.
        await Cli.Wrap(SphereletProcess.Binary).WithArguments(
            ["drain", "--root-directory", Path.Combine(Directory, "root"), "--runtime-directory", Path.Combine(Directory, "run"), "--guest-directory", SphereletProcess.GuestDirectory, "--cni-config-directory", Path.Combine(Directory, "cni")])
            .ExecuteAsync();
        Assert.Empty(LeakCheck.Take(Directory, 0, new HashSet<string>(), "").Processes);
        string machines = Path.Combine(Directory, "root", "machines");
        Assert.True(!System.IO.Directory.Exists(machines) || !System.IO.Directory.EnumerateFileSystemEntries(machines).Any(), $"{machines} is not empty");
        System.IO.Directory.Delete(Directory, recursive: true);
    }

    /// <summary>The socket is there a moment before the API's listener is.</summary>
    private async Task StartDaemonAsync(CancellationToken cancellationToken)
    {
        Daemon = await SphereletProcess.StartAsync(Directory, cancellationToken, _arguments);
        await Eventually.TrueAsync(
            async () =>
            {
                using Socket probe = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                try
                {
                    await probe.ConnectAsync(IPEndPoint.Parse(Address), cancellationToken);
                    return true;
                }
                catch (SocketException)
                {
                    return false;
                }
            },
            TimeSpan.FromSeconds(30), () => Daemon.Log, cancellationToken);
    }

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
