using Vks.Runtime.Guest;
using Vks.Runtime.Host;
using Vks.Runtime.Qemu;
using Vks.Runtime.Qmp;

namespace Vks.Runtime.Machines;

/// <summary>Turns what the parts of a start throw into the one exception of this border.</summary>
internal static class CrxFaults
{
    private const int NoMemory = 12;
    private const int TooManyFilesOnHost = 23;
    private const int TooManyFiles = 24;
    private const int NoSpace = 28;

    internal static MachineException Translate(MachineId id, string step, Exception cause) => cause switch
    {
        MachineException already => already,
        QemuException { Fault: QemuFault.FilesMissing } => New(MachineFault.GuestFilesMissing, id, step, cause),
        QemuException => New(MachineFault.QemuFailed, id, step, cause),
        QmpException => New(MachineFault.QemuFailed, id, step, cause),
        GuestException => New(MachineFault.AgentFailed, id, step, cause),
        HostException { Errno: NoMemory or TooManyFiles or TooManyFilesOnHost or NoSpace } => New(MachineFault.ResourceExhausted, id, step, cause),
        IOException when (cause.HResult & 0xffff) is NoSpace or TooManyFiles or TooManyFilesOnHost => New(MachineFault.ResourceExhausted, id, step, cause),
        IOException or UnauthorizedAccessException => New(MachineFault.DiskFailed, id, step, cause),
        _ => New(MachineFault.QemuFailed, id, step, cause),
    };

    private static MachineException New(MachineFault fault, MachineId id, string step, Exception cause) =>
        new(fault, id, $"Machine {id.Prefix} did not start, {step}: {cause.Message}", cause);
}
