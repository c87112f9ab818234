namespace Vks.Spherelet.Machines;

/// <summary>How a machine that is kept running is at one moment.</summary>
/// <param name="Phase">What it does.</param>
/// <param name="Since">Since when (host's clock).</param>
/// <param name="Starts">How often this daemon started it.</param>
/// <param name="LastEnd">How it ended, or did not come up, when that was not asked for; or empty.</param>
internal sealed record KeptMachineState(KeptMachinePhase Phase, DateTimeOffset Since, int Starts, string LastEnd);

/// <summary>What such a machine does.</summary>
internal enum KeptMachinePhase
{
    /// <summary>Nothing; it has its disk.</summary>
    Stopped = 0,

    /// <summary>It boots, or waits for its next try.</summary>
    Starting = 1,

    /// <summary>Its program runs and has its files.</summary>
    Running = 2,

    /// <summary>Its program was told to end.</summary>
    Stopping = 3,
}
