namespace Vks.Agent.Channel;

/// <summary>Why a call's <see cref="AgentCall.Cancelled"/> fired.</summary>
internal enum CallEnd
{
    /// <summary>It did not: the call is open.</summary>
    None = 0,

    /// <summary>The host sent Cancel: the work is to be ended.</summary>
    HostCancelled = 1,

    /// <summary>The session ended (host gone, or a new Hello): streams detach, container processes go on.</summary>
    SessionEnded = 2,

    /// <summary>The host broke the rules of the call's streams (overran its credit, or gave credit never used).</summary>
    ProtocolFault = 3,

    /// <summary>The handler returned or threw.</summary>
    Completed = 4,
}
