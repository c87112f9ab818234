using System.Net.Sockets;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Vks.Spherelet.Cri.V1;

namespace Vks.Spherelet.Protos;

/// <summary>A CRI client of a runtime on this host, ours or another, as a kubelet is one: over its unix socket, with nothing of the daemon's own.</summary>
internal sealed class CriClient : IDisposable
{
    private readonly GrpcChannel _channel;

    /// <summary>Connects at the first call.</summary>
    /// <param name="socketPath">Path of the daemon's socket.</param>
    /// <param name="interceptors">Stand around every call.</param>
    public CriClient(string socketPath, params Interceptor[] interceptors)
    {
        _channel = Connect(socketPath);
        CallInvoker calls = _channel.Intercept(interceptors);
        Runtime = new RuntimeService.RuntimeServiceClient(calls);
        Images = new ImageService.ImageServiceClient(calls);
    }

    /// <summary>Pods and containers.</summary>
    public RuntimeService.RuntimeServiceClient Runtime { get; }

    /// <summary>Images.</summary>
    public ImageService.ImageServiceClient Images { get; }

    /// <summary>A channel for calls of one's own making. It stays open however long nothing is called.</summary>
    /// <param name="socketPath">Path of the daemon's socket.</param>
    public static GrpcChannel Connect(string socketPath) => GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions
    {
        HttpHandler = new SocketsHttpHandler
        {
            ConnectCallback = (_, token) => ConnectAsync(socketPath, token),
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
        },
        MaxReceiveMessageSize = 32 * 1024 * 1024,
        DisposeHttpClient = true,
    });

    /// <inheritdoc/>
    public void Dispose() => _channel.Dispose();

    private static async ValueTask<Stream> ConnectAsync(string socketPath, CancellationToken cancellationToken)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
