namespace Vks.Agent.Channel;

/// <summary>Where host connections come from: a virtio-serial port or an AF_VSOCK listener.</summary>
internal interface IChannelTransport
{
    /// <summary>
    /// Whether bytes written for one connection may be read by the next one (a virtio-serial port), so that a half-sent frame
    /// has to be padded out before a new session.
    /// </summary>
    bool CarriesBytesOver { get; }

    /// <summary>Waits for the host and gives a duplex stream whose read returns 0 once the host is gone.</summary>
    /// <param name="cancellationToken">Ends the waiting.</param>
    ValueTask<Stream> AcceptAsync(CancellationToken cancellationToken);
}
