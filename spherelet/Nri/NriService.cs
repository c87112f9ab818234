using System.Net.Sockets;
using Vks.Runtime.Host;
using Vks.Spherelet.Node;
using Vks.Spherelet.Nri.Wire;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Nri;

/// <summary>Where plugins come from: programs that are started with the daemon, and connections to its socket.</summary>
/// <remarks>NRI is an offer: a plugin that fails, and a socket that cannot be made, are told in the log, and pods go on without.</remarks>
internal sealed partial class NriService(
    NriPlugins plugins, NriHooks hooks, PodTable table, NriOptions options, TimeProvider time, ILogger<NriService> logger) : IAsyncDisposable
{
    /// <summary>How many plugins may be between connection and synchronization.</summary>
    private const int MostWaiting = 16;

    private readonly CancellationTokenSource _ending = new();
    private readonly SemaphoreSlim _waiting = new(MostWaiting, MostWaiting);
    private readonly List<ConnectedProgram> _launched = [];
    private Socket? _listener;
    private Task _accepting = Task.CompletedTask;

    /// <summary>Starts what is installed, and listens. To be called once pods and containers are known.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (PluginFile file in PluginFiles.Find(options, PluginPassedOver))
        {
            await LaunchAsync(file, cancellationToken);
        }

        if (options.Socket.Length > 0 && await ListenAsync(cancellationToken) is { } listener)
        {
            _listener = listener;
            _accepting = AcceptAsync(listener);
        }
    }

    /// <summary>Hangs up on all plugins, ends those that it started, and removes the socket.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_ending.IsCancellationRequested)
        {
            return;
        }

        await _ending.CancelAsync();
        if (_listener is not null)
        {
            _listener.Dispose();
            File.Delete(options.Socket);
        }

        await _accepting;
        await plugins.DisposeAsync();
        foreach (ConnectedProgram program in _launched)
        {
            await program.DisposeAsync();
        }
    }

    private async Task<Socket?> ListenAsync(CancellationToken cancellationToken)
    {
        try
        {
            await DaemonSocket.ClearAsync(options.Socket, cancellationToken);
            var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            listener.Bind(new UnixDomainSocketEndPoint(options.Socket));
            File.SetUnixFileMode(options.Socket, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            listener.Listen(MostWaiting);
            Listening(options.Socket);
            return listener;
        }
        catch (Exception cause) when (cause is NodeException or IOException or UnauthorizedAccessException or SocketException)
        {
            NotListening(options.Socket, cause.Message);
            return null;
        }
    }

    private async Task AcceptAsync(Socket listener)
    {
        try
        {
            while (true)
            {
                await _waiting.WaitAsync(_ending.Token);
                Socket connection = await listener.AcceptAsync(_ending.Token);
                _ = TakeAsync(connection);
            }
        }
        catch (Exception cause) when (cause is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The daemon ends.
        }
    }

    private async Task TakeAsync(Socket connection)
    {
        try
        {
            await JoinAsync(new NetworkStream(connection, ownsSocket: true), name: null, config: "", _ending.Token);
        }
        catch (Exception cause) when (cause is TtrpcException or OperationCanceledException or IOException or PodException)
        {
            PluginFailed("(connected)", cause.Message);
        }
        finally
        {
            _waiting.Release();
        }
    }

    private async Task LaunchAsync(PluginFile file, CancellationToken cancellationToken)
    {
        ConnectedProgram? program = null;
        try
        {
            program = await ConnectedProgram.StartAsync(
                file.Path,
                new Dictionary<string, string>
                {
                    ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin",
                    ["NRI_PLUGIN_NAME"] = file.Name.Base,
                    ["NRI_PLUGIN_IDX"] = file.Name.Index,
                    ["NRI_PLUGIN_SOCKET"] = "3",
                },
                time,
                cancellationToken);
            await JoinAsync(program.Connection, file.Name, file.Config, cancellationToken);
            _launched.Add(program);
        }
        catch (Exception cause) when (cause is TtrpcException or HostException or IOException or SocketException or PodException)
        {
            if (program is not null)
            {
                await program.DisposeAsync();
            }

            PluginFailed(file.Path, program?.OutputTail.Trim() is { Length: > 0 } words ? $"{cause.Message}; it said: {words}" : cause.Message);
        }
    }

    private async Task JoinAsync(Stream connection, PluginName? name, string config, CancellationToken cancellationToken)
    {
        var plugin = new NriPlugin(connection, name, UpdateAsync, options, time, logger);
        var joined = false;
        try
        {
            await plugin.StartAsync(config, CommandLine.Version, cancellationToken);
            IReadOnlyList<ContainerUpdate> updates = await plugins.JoinAsync(plugin, Describe, cancellationToken);
            joined = true;
            _ = LeaveAsync(plugin);
            await hooks.CarryOutAsync($"NRI plugin {plugin.Name}", Updates.Read(updates));
        }
        finally
        {
            if (!joined)
            {
                await plugin.DisposeAsync();
            }
        }
    }

    private async Task LeaveAsync(NriPlugin plugin)
    {
        await plugin.Ended;
        plugins.Leave(plugin);
        await plugin.DisposeAsync();
    }

    private (IReadOnlyList<Wire.PodSandbox> Pods, IReadOnlyList<Wire.Container> Containers) Describe() =>
        ([.. table.Pods.Values.Select(Description.Of)], [.. table.Containers.Values.Select(Description.Of)]);

    private async Task<UpdateContainersResponse> UpdateAsync(NriPlugin plugin, UpdateContainersRequest request, CancellationToken cancellationToken)
    {
        var merged = new Updates(new Ownership());
        try
        {
            merged.Apply(plugin.Name!.ToString(), request.Update);
            IReadOnlyList<string> failed = await hooks.CarryOutAsync($"NRI plugin {plugin.Name}", Updates.Read(merged.All));
            return new UpdateContainersResponse { Failed = { request.Update.Where(update => failed.Contains(update.ContainerId)) } };
        }
        catch (PodException refused)
        {
            throw new TtrpcException(TtrpcCode.InvalidArgument, refused.Message, isFatal: false, refused);
        }
    }

    [LoggerMessage(3710, LogLevel.Information, "NRI plugins can connect to {Socket}")]
    private partial void Listening(string socket);

    [LoggerMessage(3711, LogLevel.Warning, "NRI plugins cannot connect to {Socket}: {Detail} Choose another --nri-socket, or none.")]
    private partial void NotListening(string socket, string detail);

    [LoggerMessage(3712, LogLevel.Error, "NRI plugin {Plugin} does not take part: {Detail}")]
    private partial void PluginFailed(string plugin, string detail);

    [LoggerMessage(3713, LogLevel.Warning, "{Path} is not started as an NRI plugin: {Reason}")]
    private partial void PluginPassedOver(string path, string reason);
}
