namespace Vks.Runtime.Machines;

/// <summary>The life of a machine.</summary>
/// <remarks>
/// Every change that can happen; a test holds this table and <see cref="MachineAdmission"/> together.
/// <code>
/// Created  ──► Starting   the start begins
/// Created  ──► Removed    removed before it was started
/// Starting ──► Running    the agent answered
/// Starting ──► Stopping   a stop was asked for during the start
/// Starting ──► Stopped    the start failed and was undone
/// Running  ──► Stopping   a stop was asked for
/// Running  ──► Stopped    QEMU ended by itself
/// Stopping ──► Stopped    QEMU ended
/// Stopped  ──► Removed    the last resource was released
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
