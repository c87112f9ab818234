using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Channel;

/// <summary>A call cannot be done; the host gets the fault and the message as they are.</summary>
/// <param name="fault">The kind of fault.</param>
/// <param name="message">What was tried, on what, what came back.</param>
/// <param name="cause">The exception below, for the console.</param>
internal sealed class AgentException(GuestFault fault, string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>The kind of fault.</summary>
    public GuestFault Fault { get; } = fault;
}
