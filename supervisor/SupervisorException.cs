namespace Vks.Supervisor;

/// <summary>Whose fault it is that a verb or a controller could not do its work.</summary>
internal enum SupervisorFault
{
    /// <summary>A settings file or flag is wrong; nothing was changed.</summary>
    Settings,

    /// <summary>A host program or its answer was not as expected.</summary>
    Host,

    /// <summary>A member's etcd or kube-apiserver does not answer, or refuses.</summary>
    ControlPlane,

    /// <summary>Another step has to end, or another object has to be there, first.</summary>
    Precondition,
}

/// <summary>What was tried, on what, what came back and what to do, for people.</summary>
/// <param name="fault">Whose fault.</param>
/// <param name="message">Whole sentences.</param>
/// <param name="cause">What came back.</param>
internal sealed class SupervisorException(SupervisorFault fault, string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>Whose fault.</summary>
    public SupervisorFault Fault { get; } = fault;
}
