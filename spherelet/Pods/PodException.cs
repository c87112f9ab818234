namespace Vks.Spherelet.Pods;

/// <summary>Why something could not be done with a pod or a container.</summary>
internal enum PodFault
{
    /// <summary>The request breaks a rule; nothing was changed.</summary>
    InvalidConfig = 1,

    /// <summary>No pod or container with this id.</summary>
    NotFound = 2,

    /// <summary>The name is taken by another pod or container.</summary>
    NameReserved = 3,

    /// <summary>The pod or container is in a state that does not allow this.</summary>
    WrongState = 4,

    /// <summary>A deadline of the caller's passed.</summary>
    TimedOut = 5,

    /// <summary>The program to run does not exist or cannot be executed.</summary>
    CannotExecute = 6,

    /// <summary>The pod's machine went away, or its guest stopped answering.</summary>
    MachineGone = 7,

    /// <summary>The host refused: a file, a mount, a tool.</summary>
    HostFailed = 8,

    /// <summary>Events came faster than their listener read them.</summary>
    Overrun = 9,

    /// <summary>Somebody who has a say refused it.</summary>
    Refused = 10,
}

/// <summary>Something could not be done with a pod or a container. The message says what was tried, on what, what came back, what to do.</summary>
internal sealed class PodException(PodFault fault, string subject, string message, Exception? cause = null)
    : Exception(message, cause)
{
    /// <summary>The kind of fault.</summary>
    public PodFault Fault { get; } = fault;

    /// <summary>Id or name of the pod or container it is about.</summary>
    public string Subject { get; } = subject;
}
