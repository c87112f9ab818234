using System.Net;

namespace Vks.Spherelet.Streaming;

/// <summary>Where exec, attach and port-forward are served, and how long they may be silent.</summary>
internal sealed record StreamingOptions
{
    /// <summary>Address to listen on. The kubelet connects on the node itself.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>TCP port; 0 for any that is free.</summary>
    public int Port { get; init; }

    /// <summary>A session without a byte in either direction for this long is ended.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromHours(4);

    /// <summary>How long a client may take to open the streams it asked for.</summary>
    public TimeSpan OpenTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the end of a session waits for the client to take it in and hang up.</summary>
    public TimeSpan LingerTimeout { get; init; } = TimeSpan.FromSeconds(5);
}
