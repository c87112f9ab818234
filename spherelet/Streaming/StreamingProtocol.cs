namespace Vks.Spherelet.Streaming;

/// <summary>One of the protocols a session can speak, by the name it has in the upgrade.</summary>
/// <param name="Name">As in the header; empty for a client that names none.</param>
/// <param name="Version">1 to 5.</param>
/// <param name="Base64">Messages are text: a digit for the channel, then base64.</param>
internal sealed record StreamingProtocol(string Name, int Version, bool Base64 = false)
{
    /// <summary>The header in which SPDY clients offer protocols and get the choice.</summary>
    public const string Header = "X-Stream-Protocol-Version";

    /// <summary>Port-forward, over SPDY.</summary>
    public const string PortForward = "portforward.k8s.io";

    /// <summary>Port-forward over SPDY inside a WebSocket.</summary>
    public const string PortForwardTunnel = "SPDY/3.1+portforward.k8s.io";

    private const string ChannelSuffix = "channel.k8s.io";
    private const string Base64Suffix = "base64.channel.k8s.io";

    /// <summary>Exec and attach over SPDY.</summary>
    public static IReadOnlyList<StreamingProtocol> SpdyProcess { get; } =
        [new("v4." + ChannelSuffix, 4), new("v3." + ChannelSuffix, 3), new("v2." + ChannelSuffix, 2), new(ChannelSuffix, 1)];

    /// <summary>Exec and attach over WebSocket.</summary>
    public static IReadOnlyList<StreamingProtocol> WebSocketProcess { get; } =
    [
        new("v5." + ChannelSuffix, 5), new("v4." + ChannelSuffix, 4), new("v4." + Base64Suffix, 4, Base64: true),
        new(ChannelSuffix, 1), new(Base64Suffix, 1, Base64: true),
    ];

    /// <summary>Port-forward over WebSocket.</summary>
    public static IReadOnlyList<StreamingProtocol> WebSocketPorts { get; } =
        [new(PortForwardTunnel, 1), new("v4." + ChannelSuffix, 4), new("v4." + Base64Suffix, 4, Base64: true)];

    /// <summary>Port-forward over SPDY, as a list.</summary>
    public static IReadOnlyList<StreamingProtocol> SpdyPorts { get; } = [new(PortForward, 1)];

    /// <summary>The end of a session is told as a Status object instead of plain text.</summary>
    public bool HasJsonStatus => Version >= 4;

    /// <summary>There is a stream of terminal sizes.</summary>
    public bool HasResize => Version >= 3;

    /// <summary>The client can end one of its channels.</summary>
    public bool HasChannelClose => Version >= 5;

    /// <summary>The first of the client's protocols that the server speaks.</summary>
    /// <param name="offered">In the client's order of preference; none means the oldest binary one.</param>
    /// <param name="known">What the server speaks.</param>
    /// <returns>Null when there is none in common.</returns>
    public static StreamingProtocol? Choose(IReadOnlyList<string> offered, IReadOnlyList<StreamingProtocol> known) => offered.Count == 0
        ? new StreamingProtocol("", known.Where(static protocol => !protocol.Base64).Min(static protocol => protocol.Version))
        : offered.Select(name => known.FirstOrDefault(protocol => protocol.Name == name)).FirstOrDefault(static protocol => protocol is not null);
}
