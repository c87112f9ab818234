using Vks.Runtime.Guest;

namespace Vks.Runtime.Machines;

/// <summary>One microVM, from the first request until its last resource is released.</summary>
public sealed class Machine
{
    /// <summary>Its name.</summary>
    public MachineId Id => throw new NotSupportedException();

    /// <summary>What it was asked to be.</summary>
    public MachineSpec Spec => throw new NotSupportedException();

    /// <summary>The latest published state; safe to read from any thread.</summary>
    public MachineSnapshot Current => throw new NotSupportedException();

    /// <summary>The agent of a running machine.</summary>
    /// <exception cref="MachineException"><see cref="MachineFault.WrongState"/>: it is not running.</exception>
    public GuestClient Guest => throw new NotSupportedException();

    /// <summary>Completes with the first snapshot newer than <paramref name="generation"/>.</summary>
    public Task<MachineSnapshot> WaitForChangeAsync(long generation, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Plugs a disk in; the guest sees it when this completes or shortly after.</summary>
    public Task AttachDiskAsync(DiskAttachment disk, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Unplugs a disk; an unknown serial is no error.</summary>
    public Task DetachDiskAsync(string serial, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Asks the guest to power off and completes once the machine is Stopped; kills QEMU after the grace period.</summary>
    public Task StopAsync(TimeSpan grace, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>The last lines of the guest's console, oldest first.</summary>
    public IReadOnlyList<string> ConsoleTail => throw new NotSupportedException();

    /// <summary>Streams console output from now on until the machine stops.</summary>
    public IAsyncEnumerable<string> ReadConsoleAsync(CancellationToken cancellationToken) => throw new NotSupportedException();
}
