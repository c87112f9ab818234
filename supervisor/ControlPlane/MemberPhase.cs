namespace Vks.Supervisor.ControlPlane;

/// <summary>Where a member stands between the first word of it and the last.</summary>
/// <remarks>
/// <code>
///   (nobody) ── reserved ──► Joining ── serves the API ──► Serving ── to be replaced, or too many ──► Leaving ── nothing of it is left ──► (nobody)
///                               │                                                                        ▲
///                               └──── did not come to serve, or is not wanted any more ──────────────────┘
/// </code>
/// What has been done within a phase is not written down: etcd and the hosts are asked.
/// </remarks>
internal enum MemberPhase
{
    /// <summary>It has a name, a host and an address, and is being brought up.</summary>
    Joining,

    /// <summary>It is one of those that the control plane consists of.</summary>
    Serving,

    /// <summary>It is being taken away.</summary>
    Leaving,
}
