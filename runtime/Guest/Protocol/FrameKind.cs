namespace Vks.Runtime.Guest.Protocol;

/// <summary>What a frame on the guest channel carries. The values are wire numbers and never change meaning.</summary>
public enum FrameKind : byte
{
    /// <summary>Host to guest: opens a session. Body: <see cref="Hello"/>.</summary>
    Hello = 1,

    /// <summary>Guest to host: accepts or refuses a session. Body: <see cref="HelloReply"/>.</summary>
    HelloReply = 2,

    /// <summary>Host to guest: starts a call. Body: <see cref="GuestRequest"/>.</summary>
    Request = 3,

    /// <summary>Guest to host: ends a call with its result. Body: JSON of the method's result record.</summary>
    Response = 4,

    /// <summary>Guest to host: ends a call with a fault. Body: <see cref="GuestError"/>.</summary>
    Error = 5,

    /// <summary>Host to guest: the caller has lost interest; the guest ends the work and still answers.</summary>
    Cancel = 6,

    /// <summary>Either way: bytes of one stream of a call. The stream number is in the header.</summary>
    Data = 7,

    /// <summary>Either way: no more <see cref="Data"/> on that stream of the call.</summary>
    End = 8,

    /// <summary>Either way: the receiver has consumed bytes of a stream. Body: unsigned 32-bit count, little endian.</summary>
    Credit = 9,

    /// <summary>Guest to host: something happened. Body: <see cref="GuestEvent"/>.</summary>
    Event = 10,
}
