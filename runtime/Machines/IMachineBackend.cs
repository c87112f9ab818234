using Vks.Runtime.Guest;

namespace Vks.Runtime.Machines;

/// <summary>Makes running machines of specs. The border between a machine's life and what it lives on.</summary>
internal interface IMachineBackend
{
    /// <summary>Starts QEMU and completes when the agent answers. On failure nothing is left.</summary>
    /// <param name="spec">A valid spec.</param>
    /// <param name="console">Gets what the guest prints.</param>
    /// <param name="cancellationToken">Gives the start up and undoes it.</param>
    /// <exception cref="MachineException">What went wrong.</exception>
    Task<IMachineRun> StartAsync(MachineSpec spec, ConsoleLog console, CancellationToken cancellationToken);
}

/// <summary>A machine that runs or has run. Disposing it lets go of the machine and leaves it as it is.</summary>
internal interface IMachineRun : IAsyncDisposable
{
    /// <summary>QEMU's process id.</summary>
    int QemuPid { get; }

    /// <summary>The guest kernel's release.</summary>
    string KernelRelease { get; }

    /// <summary>When it began to run.</summary>
    DateTimeOffset Since { get; }

    /// <summary>The template it was started from, or null.</summary>
    string? Template { get; }

    /// <summary>How long each stage of the start took.</summary>
    IReadOnlyList<StageTime> Stages { get; }

    /// <summary>The disks that are plugged in, the scratch disk left out.</summary>
    IReadOnlyList<DiskAttachment> Disks { get; }

    /// <summary>The agent.</summary>
    GuestClient Guest { get; }

    /// <summary>Completes when QEMU has ended, with how in words. Never fails.</summary>
    Task<string> Ended { get; }

    /// <summary>Completes when the agent's channel broke, with why in words. Never fails.</summary>
    Task<string> GuestLost { get; }

    /// <summary>Raised when the guest's CPUs go on after they stood still; handlers must not block.</summary>
    event Action? Resumed;

    /// <summary>Asks the agent to power off; completes when it has agreed.</summary>
    Task AskPowerOffAsync(CancellationToken cancellationToken);

    /// <summary>Sends SIGTERM to QEMU.</summary>
    void Terminate();

    /// <summary>Sends SIGKILL to QEMU.</summary>
    void Kill();

    /// <summary>Plugs a disk in.</summary>
    Task PlugAsync(DiskAttachment disk, CancellationToken cancellationToken);

    /// <summary>Unplugs a disk.</summary>
    Task UnplugAsync(string serial, CancellationToken cancellationToken);

    /// <summary>Sets the machine's weight against others when the host's CPUs are scarce, on the scale of cgroup v1; null, or why that cannot be.</summary>
    string? SetCpuShares(long shares);

    /// <summary>Keeps another spec of the machine, which is spare no more, and gives it the usual weight.</summary>
    void Claim(MachineSpec spec);

    /// <summary>Deletes all that the machine had. Call after <see cref="Ended"/>; may be called again when it failed.</summary>
    Task CleanAsync(CancellationToken cancellationToken);
}
