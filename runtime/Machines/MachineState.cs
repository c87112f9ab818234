namespace Vks.Runtime.Machines;

/// <summary>The life of a machine.</summary>
/// <remarks>
/// <code>
/// Created ──► Starting ──► Running ──► Stopping ──► Stopped ──► Removed
///    │            │            │           │            ▲
///    │            └────────────┴───────────┴──(QEMU ends, boot fails)
///    └────────────────────────────────────────(removed before start)─►
/// </code>
/// </remarks>
public enum MachineState
{
    /// <summary>Stored, nothing started.</summary>
    Created = 0,

    /// <summary>QEMU is being started; the agent has not answered.</summary>
    Starting = 1,

    /// <summary>The agent answers.</summary>
    Running = 2,

    /// <summary>Asked to power off.</summary>
    Stopping = 3,

    /// <summary>QEMU has ended; files are still there.</summary>
    Stopped = 4,

    /// <summary>Nothing is left.</summary>
    Removed = 5,
}
