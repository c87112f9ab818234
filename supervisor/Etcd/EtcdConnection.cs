using System.Net;
using Etcdserverpb;
using Grpc.Net.Client;
using Vks.Supervisor.Pki;

namespace Vks.Supervisor.Etcd;

/// <summary>A connection to one etcd, by its gRPC interface. To one and not to a cluster: who asks wants to know about that one.</summary>
internal sealed class EtcdConnection : IDisposable
{
    private readonly GrpcChannel _channel;

    /// <summary>Connects when first used.</summary>
    /// <param name="address">Where etcd listens.</param>
    /// <param name="port">Its port for clients.</param>
    /// <param name="pki">Folder with the authority and the client's certificate.</param>
    public EtcdConnection(IPAddress address, int port, string pki)
    {
        string host = address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? $"[{address}]" : address.ToString();
        _channel = GrpcChannel.ForAddress($"https://{host}:{port}", new GrpcChannelOptions
        {
            HttpHandler = MutualTls.Client(Path.Combine(pki, AuthorityFiles.Etcd + ".crt"), Path.Combine(pki, "etcd-client")),
            DisposeHttpClient = true,

            // A member's etcd comes back within a second; the next try must not be a minute away.
            MaxReconnectBackoff = TimeSpan.FromSeconds(1),
            InitialReconnectBackoff = TimeSpan.FromMilliseconds(200),
        });
        Kv = new KV.KVClient(_channel);
        Cluster = new Cluster.ClusterClient(_channel);
        Maintenance = new Maintenance.MaintenanceClient(_channel);
    }

    /// <summary>Keys and values.</summary>
    public KV.KVClient Kv { get; }

    /// <summary>Members of the cluster.</summary>
    public Cluster.ClusterClient Cluster { get; }

    /// <summary>State and snapshots of the one etcd.</summary>
    public Maintenance.MaintenanceClient Maintenance { get; }

    /// <inheritdoc/>
    public void Dispose() => _channel.Dispose();
}
