using Vks.Runtime.Guest;
using Vks.Runtime.Templates;

namespace Vks.Runtime.Machines;

/// <summary>A guest that is about to become a template.</summary>
public sealed class TemplateGuest
{
    private readonly CrxRun _run;

    internal TemplateGuest(CrxRun run, TemplateShape shape)
    {
        _run = run;
        Shape = shape;
    }

    /// <summary>What machine it is. Its shared folder is an empty one that must not be mounted: QEMU could not save the guest then.</summary>
    public TemplateShape Shape { get; }

    /// <summary>Calls to its agent.</summary>
    public GuestClient Guest => _run.Guest;

    /// <summary>Plugs a disk in; it must be unplugged before the rehearsal ends.</summary>
    /// <exception cref="MachineException">The disk cannot be opened.</exception>
    public Task AttachDiskAsync(DiskAttachment disk, CancellationToken cancellationToken) => _run.PlugAsync(disk, cancellationToken);

    /// <summary>Unplugs a disk.</summary>
    public Task DetachDiskAsync(string serial, CancellationToken cancellationToken) => _run.UnplugAsync(serial, cancellationToken);
}
