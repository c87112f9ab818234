using System.Text.Json;
using System.Text.Json.Serialization;

namespace Vks.Runtime.Guest.Protocol;

/// <summary>Opens a session. The host sends it first, and again after it lost the connection.</summary>
/// <param name="Nonce">Random; the reply repeats it, so that an answer to an earlier daemon is not taken for ours.</param>
/// <param name="OldestVersion">The oldest protocol version the host speaks.</param>
/// <param name="NewestVersion">The newest protocol version the host speaks.</param>
/// <param name="ForTemplate">The guest is about to be saved for others to start from: this session ends in order, and is no clone's first one.</param>
public sealed record Hello(string Nonce, int OldestVersion, int NewestVersion, bool ForTemplate = false);

/// <summary>Answers <see cref="Hello"/>, by what the agent knows without asking the kernel: nothing that differs between clones may be made yet.</summary>
/// <remarks>Agents of other builds may tell more.</remarks>
/// <param name="Nonce">The nonce of the Hello that is answered.</param>
/// <param name="Version">The version chosen, or 0 when the ranges do not meet; the session is then closed to requests.</param>
/// <param name="OldestVersion">The oldest version the agent speaks.</param>
/// <param name="NewestVersion">The newest version the agent speaks.</param>
/// <param name="AgentVersion">The agent's own version, for people.</param>
/// <param name="KernelRelease">What <c>uname -r</c> says in the guest.</param>
/// <param name="AgentStartNanoseconds">Guest CLOCK_BOOTTIME when the agent's first instruction ran.</param>
/// <param name="ReadyNanoseconds">Guest CLOCK_BOOTTIME when the agent could answer.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Skip)]
public sealed record HelloReply(
    string Nonce,
    int Version,
    int OldestVersion,
    int NewestVersion,
    string AgentVersion,
    string KernelRelease,
    long AgentStartNanoseconds,
    long ReadyNanoseconds);

/// <summary>Starts a call.</summary>
/// <param name="Method">One of <see cref="GuestMethods"/>.</param>
/// <param name="Body">The method's request record as JSON.</param>
public sealed record GuestRequest(string Method, JsonElement Body);

/// <summary>Why a call failed inside the guest.</summary>
public enum GuestFault
{
    /// <summary>The request is malformed or breaks a rule; nothing was changed.</summary>
    InvalidRequest = 1,

    /// <summary>The container, process, disk or path named does not exist.</summary>
    NotFound = 2,

    /// <summary>The name is taken.</summary>
    AlreadyExists = 3,

    /// <summary>The thing named is in a state that does not allow this.</summary>
    WrongState = 4,

    /// <summary>The program to run does not exist or cannot be executed in the container.</summary>
    CannotExecute = 5,

    /// <summary>A deadline inside the guest passed.</summary>
    TimedOut = 6,

    /// <summary>The caller cancelled.</summary>
    Cancelled = 7,

    /// <summary>No such method in this agent.</summary>
    UnknownMethod = 8,

    /// <summary>The kernel or a tool refused; the message has the errno or the tool's words.</summary>
    Failed = 9,

    /// <summary>Memory, disk space or another resource of the guest ran out.</summary>
    ResourceExhausted = 10,

    /// <summary>The connection was refused, reset or unreachable (port-forward).</summary>
    ConnectionFailed = 11,
}

/// <summary>Ends a call with a fault.</summary>
/// <param name="Fault">The kind of fault.</param>
/// <param name="Message">What was tried, on what, what came back.</param>
public sealed record GuestError(GuestFault Fault, string Message);

/// <summary>Something that happened in the guest; a hint to look, the facts come from <see cref="GuestMethods.ListContainers"/>.</summary>
/// <param name="Kind">What happened.</param>
/// <param name="ContainerId">The container it happened to, or empty.</param>
public sealed record GuestEvent(GuestEventKind Kind, string ContainerId);

/// <summary>The kinds of <see cref="GuestEvent"/>.</summary>
public enum GuestEventKind
{
    /// <summary>A container's first process ended.</summary>
    ContainerExited = 1,

    /// <summary>The kernel killed a process of the container for want of memory.</summary>
    ContainerOutOfMemory = 2,
}
