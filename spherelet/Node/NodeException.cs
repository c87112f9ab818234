namespace Vks.Spherelet.Node;

/// <summary>Why the daemon cannot do its work on this host.</summary>
internal enum NodeFault
{
    /// <summary>Another daemon has the root directory or the socket.</summary>
    AlreadyRunning = 1,

    /// <summary>The process lacks a right it needs.</summary>
    NotPermitted = 2,

    /// <summary>No daemon answers.</summary>
    NotReachable = 3,
}

/// <summary>The daemon cannot do its work on this host. The message says what was tried, what came back, and what to do.</summary>
internal sealed class NodeException(NodeFault fault, string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>The kind of fault.</summary>
    public NodeFault Fault { get; } = fault;
}
