namespace Vks.Runtime.Machines;

/// <summary>The CRX engine: creates, adopts, lists and removes the microVMs of one host.</summary>
public sealed class CrxEngine : IAsyncDisposable
{
    /// <summary>All machines, in no order.</summary>
    public IReadOnlyCollection<Machine> Machines => throw new NotSupportedException();

    /// <summary>The machine of that name, or null.</summary>
    public Machine? Find(MachineId id) => throw new NotSupportedException();

    /// <summary>Takes back the machines an earlier daemon left, and cleans away what cannot be taken back. Call once, first.</summary>
    public Task AdoptAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Starts a machine and completes when its agent answers. On failure nothing is left.</summary>
    public Task<Machine> CreateAsync(MachineSpec spec, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Stops the machine at once if it runs, and deletes all it had. An unknown id is no error.</summary>
    public Task RemoveAsync(MachineId id, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>The accelerator in use; probes it when that has not happened since the host booted.</summary>
    public Task<AcceleratorReport> GetAcceleratorAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Leaves the machines running and lets go of them.</summary>
    public ValueTask DisposeAsync() => throw new NotSupportedException();
}

/// <summary>What the accelerator probe found.</summary>
/// <param name="IsKvm">Guests run on KVM; else on TCG.</param>
/// <param name="Reason">Why, in words for a person.</param>
public sealed record AcceleratorReport(bool IsKvm, string Reason);
