namespace Vks.Spherelet.Machines;

/// <summary>Why something could not be done with a machine that is kept running.</summary>
internal enum KeptMachineFault
{
    /// <summary>What was asked for can never be; nothing was changed.</summary>
    Invalid = 1,

    /// <summary>There is no such machine, or no such file.</summary>
    NotFound = 2,

    /// <summary>It cannot be now.</summary>
    WrongState = 3,

    /// <summary>The machine did not come up; it is tried again.</summary>
    NotUp = 4,

    /// <summary>The host refused something.</summary>
    HostFailed = 5,
}

/// <summary>Something could not be done with a machine that is kept running. The message says what was tried, what came back, and what to do.</summary>
internal sealed class KeptMachineException(KeptMachineFault fault, string name, string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>The kind of fault.</summary>
    public KeptMachineFault Fault { get; } = fault;

    /// <summary>The machine's name.</summary>
    public string Name { get; } = name;
}
