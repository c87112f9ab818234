namespace Vks.Runtime.Machines;

/// <summary>Why the engine could not do something.</summary>
public enum MachineFault
{
    /// <summary>The spec breaks a rule; nothing was changed.</summary>
    InvalidSpec = 1,

    /// <summary>A machine with this id exists.</summary>
    AlreadyExists = 2,

    /// <summary>No machine with this id.</summary>
    NotFound = 3,

    /// <summary>The machine is in a state that does not allow this.</summary>
    WrongState = 4,

    /// <summary>Guest kernel or initramfs is missing or unreadable.</summary>
    GuestFilesMissing = 5,

    /// <summary>QEMU could not be started, or ended during the start.</summary>
    QemuFailed = 6,

    /// <summary>The guest did not answer in time, on any try.</summary>
    BootTimedOut = 7,

    /// <summary>A disk could not be made, plugged or unplugged.</summary>
    DiskFailed = 8,

    /// <summary>QEMU outlived SIGKILL.</summary>
    KillFailed = 9,

    /// <summary>The host lacks memory, disk space or descriptors for it.</summary>
    ResourceExhausted = 10,

    /// <summary>The machine went away while the request was under way.</summary>
    MachineGone = 11,

    /// <summary>What answered in the guest is not an agent this build can talk to.</summary>
    AgentFailed = 12,
}

/// <summary>The engine could not do something. The message says what was tried, on what, what came back, and what to do.</summary>
public sealed class MachineException(MachineFault fault, MachineId machineId, string message, Exception? cause = null)
    : Exception(message, cause)
{
    /// <summary>The kind of fault.</summary>
    public MachineFault Fault { get; } = fault;

    /// <summary>The machine it is about.</summary>
    public MachineId MachineId { get; } = machineId;
}
