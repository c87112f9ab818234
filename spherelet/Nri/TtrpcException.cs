namespace Vks.Spherelet.Nri;

/// <summary>gRPC's status codes, as far as ttrpc's peers use them.</summary>
internal enum TtrpcCode
{
    /// <summary>Done.</summary>
    Ok = 0,

    /// <summary>The other side failed, without saying in which way.</summary>
    Unknown = 2,

    /// <summary>The call has no sense.</summary>
    InvalidArgument = 3,

    /// <summary>No answer in time.</summary>
    DeadlineExceeded = 4,

    /// <summary>Not now.</summary>
    FailedPrecondition = 9,

    /// <summary>No such method.</summary>
    Unimplemented = 12,

    /// <summary>The protocol is broken.</summary>
    Internal = 13,

    /// <summary>The connection is closed.</summary>
    Unavailable = 14,
}

/// <summary>A call over ttrpc failed.</summary>
/// <param name="code">How.</param>
/// <param name="message">In words; those of the other side if it answered.</param>
/// <param name="isFatal">Nothing more is to be expected of this connection.</param>
/// <param name="cause">What was caught.</param>
internal sealed class TtrpcException(TtrpcCode code, string message, bool isFatal, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>How.</summary>
    public TtrpcCode Code { get; } = code;

    /// <summary>Nothing more is to be expected of this connection.</summary>
    public bool IsFatal { get; } = isFatal;
}
