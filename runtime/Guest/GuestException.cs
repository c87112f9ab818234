using Vks.Runtime.Guest.Protocol;

namespace Vks.Runtime.Guest;

/// <summary>A call to the guest failed.</summary>
public sealed class GuestException(GuestFault fault, string message, bool connectionLost = false, Exception? cause = null)
    : Exception(message, cause)
{
    /// <summary>The guest's fault; <see cref="GuestFault.Failed"/> when the connection was lost.</summary>
    public GuestFault Fault { get; } = fault;

    /// <summary>The channel to the guest broke; whether the call took effect is not known.</summary>
    public bool ConnectionLost { get; } = connectionLost;
}
