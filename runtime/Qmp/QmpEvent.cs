namespace Vks.Runtime.Qmp;

/// <summary>Something QEMU tells unasked.</summary>
internal abstract record QmpEvent
{
    /// <summary>QEMU's wall clock at the event.</summary>
    internal required DateTimeOffset At { get; init; }

    /// <summary>SHUTDOWN: the machine powers off or QEMU quits.</summary>
    /// <param name="ByGuest">The guest asked for it.</param>
    /// <param name="Reason">QEMU's word for it, e.g. <c>guest-shutdown</c>, <c>host-qmp-quit</c>.</param>
    internal sealed record Shutdown(bool ByGuest, string Reason) : QmpEvent;

    /// <summary>RESET: the machine is reset (with -no-reboot it is followed by SHUTDOWN).</summary>
    /// <param name="ByGuest">The guest asked for it.</param>
    /// <param name="Reason">QEMU's word for it.</param>
    internal sealed record Reset(bool ByGuest, string Reason) : QmpEvent;

    /// <summary>GUEST_PANICKED: the guest's kernel reported a panic.</summary>
    /// <param name="Action">What QEMU does about it: <c>pause</c>, <c>poweroff</c>, <c>run</c>.</param>
    internal sealed record GuestPanicked(string Action) : QmpEvent;

    /// <summary>DEVICE_DELETED: the guest has let go of a device and it is gone.</summary>
    /// <param name="Device">Its id, or null for an unnamed one.</param>
    /// <param name="Path">Its QOM path.</param>
    internal sealed record DeviceDeleted(string? Device, string Path) : QmpEvent;

    /// <summary>STOP: the guest's CPUs stand still.</summary>
    internal sealed record Stopped : QmpEvent;

    /// <summary>RESUME: the guest's CPUs run.</summary>
    internal sealed record Resumed : QmpEvent;

    /// <summary>MIGRATION: saving or restoring the guest's state came to another step; told when asked for.</summary>
    /// <param name="Status">QEMU's word: <c>setup</c>, <c>active</c>, <c>completed</c>, <c>failed</c>, …</param>
    internal sealed record Migration(string Status) : QmpEvent;

    /// <summary>BLOCK_IO_ERROR: a disk request failed on the host.</summary>
    /// <param name="Node">Block node.</param>
    /// <param name="Operation"><c>read</c> or <c>write</c>.</param>
    /// <param name="Action">What the guest sees: <c>report</c>, <c>ignore</c> or <c>stop</c>.</param>
    /// <param name="Reason">The host's error in words.</param>
    internal sealed record BlockIoError(string Node, string Operation, string Action, string Reason) : QmpEvent;

    /// <summary>Any other event, kept as it came.</summary>
    /// <param name="Name">Its name.</param>
    /// <param name="Json">Its data, <c>{}</c> when it has none.</param>
    internal sealed record Other(string Name, string Json) : QmpEvent;
}
