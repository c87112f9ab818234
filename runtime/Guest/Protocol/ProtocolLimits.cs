namespace Vks.Runtime.Guest.Protocol;

/// <summary>The numbers both ends of the guest channel hold to.</summary>
public static class ProtocolLimits
{
    /// <summary>The version this build speaks. Raised when an old peer could misread a message.</summary>
    public const int Version = 1;

    /// <summary>The oldest version this build still speaks.</summary>
    public const int OldestVersion = 1;

    /// <summary>Bytes of a frame header on the wire.</summary>
    public const int HeaderBytes = 16;

    /// <summary>Most payload bytes in one frame. Larger messages are split with <see cref="FrameHeader.More"/>.</summary>
    public const int MaxFramePayloadBytes = 64 * 1024;

    /// <summary>Most bytes of one message (request, response, event) after its frames are joined.</summary>
    public const int MaxMessageBytes = 4 * 1024 * 1024;

    /// <summary>Unacknowledged bytes a sender may have under way on one stream before it waits for credit.</summary>
    public const int InitialWindowBytes = 256 * 1024;

    /// <summary>Most calls open at once on one session.</summary>
    public const int MaxConcurrentCalls = 1024;

    /// <summary>The virtio-serial port name, as QEMU's <c>virtserialport,name=</c> gives it to the guest.</summary>
    public const string SerialPortName = "vks.agent";

    /// <summary>The AF_VSOCK port the agent listens on when the channel is vsock.</summary>
    public const int VsockPort = 1024;
}
