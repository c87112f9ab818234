using Grpc.Core;
using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Machines;
using Vks.Spherelet.Images;
using Vks.Spherelet.Machines;
using Vks.Spherelet.Network;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

/// <summary>The one place where faults become gRPC status codes.</summary>
internal static class CriStatus
{
    /// <summary>Characters of a message: it travels in a header, where each may take 12 bytes and 16 KiB are the clients' limit for all. Names of callers can be longer.</summary>
    private const int MaxDetail = 1200;

    /// <summary>The status of a call that ended with this exception.</summary>
    /// <param name="cause">What the call threw.</param>
    /// <param name="callerGone">The caller cancelled or its deadline passed.</param>
    public static Status From(Exception cause, bool callerGone)
    {
        Status status = Whole(cause, callerGone);
        return status.Detail.Length <= MaxDetail ? status : new Status(status.StatusCode, Shorten(status.Detail));
    }

    private static Status Whole(Exception cause, bool callerGone) => cause switch
    {
        RpcException rpc => rpc.Status,
        OperationCanceledException when callerGone => new Status(StatusCode.Cancelled, "The caller cancelled the call."),
        KeptMachineException kept => new Status(Code(kept.Fault), kept.Message),
        PodException pod => new Status(Code(pod.Fault), pod.Message),
        ImageException image => new Status(Code(image.Fault), Prefix(image.Fault) + image.Message),
        MachineException machine => new Status(Code(machine.Fault), machine.Message),
        GuestException guest => new Status(guest.ConnectionLost ? StatusCode.Unavailable : Code(guest.Fault), guest.Message),
        NetworkException network => new Status(Code(network.Fault), network.Message),
        _ => new Status(StatusCode.Internal, $"{cause.GetType().Name}: {cause.Message}"),
    };

    /// <summary>Begin and end, since the advice stands at the end.</summary>
    private static string Shorten(string text)
    {
        const int End = 300;
        int head = MaxDetail - End;
        int tail = text.Length - End;
        return string.Concat(text.AsSpan(0, char.IsHighSurrogate(text[head - 1]) ? head - 1 : head), " … ", text.AsSpan(char.IsLowSurrogate(text[tail]) ? tail + 1 : tail));
    }

    /// <summary>Words at the beginning of a message by which the kubelet tells these two faults of a pull from others.</summary>
    internal static string Prefix(ImageFault fault) => fault switch
    {
        ImageFault.RegistryUnavailable => "RegistryUnavailable: ",
        ImageFault.SignatureRejected => "SignatureValidationFailed: ",
        _ => "",
    };

    internal static StatusCode Code(PodFault fault) => fault switch
    {
        PodFault.InvalidConfig => StatusCode.InvalidArgument,
        PodFault.NotFound => StatusCode.NotFound,
        PodFault.NameReserved => StatusCode.AlreadyExists,
        PodFault.WrongState => StatusCode.FailedPrecondition,
        PodFault.TimedOut => StatusCode.DeadlineExceeded,
        PodFault.CannotExecute => StatusCode.InvalidArgument,
        PodFault.MachineGone => StatusCode.Unavailable,
        PodFault.HostFailed => StatusCode.Internal,
        PodFault.Overrun => StatusCode.ResourceExhausted,
        PodFault.Refused => StatusCode.FailedPrecondition,
        _ => StatusCode.Internal,
    };

    internal static StatusCode Code(KeptMachineFault fault) => fault switch
    {
        KeptMachineFault.Invalid => StatusCode.InvalidArgument,
        KeptMachineFault.NotFound => StatusCode.NotFound,
        KeptMachineFault.WrongState => StatusCode.FailedPrecondition,
        KeptMachineFault.NotUp => StatusCode.Unavailable,
        KeptMachineFault.HostFailed => StatusCode.Internal,
        _ => StatusCode.Internal,
    };

    internal static StatusCode Code(ImageFault fault) => fault switch
    {
        ImageFault.InvalidReference => StatusCode.InvalidArgument,
        ImageFault.NotFound => StatusCode.NotFound,
        ImageFault.Unauthorized => StatusCode.Unauthenticated,
        ImageFault.RegistryUnavailable => StatusCode.Unavailable,
        ImageFault.DigestMismatch => StatusCode.DataLoss,
        ImageFault.Corrupt => StatusCode.DataLoss,
        ImageFault.WrongPlatform => StatusCode.FailedPrecondition,
        ImageFault.NoSpace => StatusCode.ResourceExhausted,
        ImageFault.ToolFailed => StatusCode.Internal,
        ImageFault.Blocked => StatusCode.PermissionDenied,
        ImageFault.SignatureRejected => StatusCode.PermissionDenied,
        ImageFault.BadSettings => StatusCode.FailedPrecondition,
        ImageFault.InvalidCredentials => StatusCode.InvalidArgument,
        _ => StatusCode.Internal,
    };

    internal static StatusCode Code(MachineFault fault) => fault switch
    {
        MachineFault.InvalidSpec => StatusCode.InvalidArgument,
        MachineFault.AlreadyExists => StatusCode.AlreadyExists,
        MachineFault.NotFound => StatusCode.NotFound,
        MachineFault.WrongState => StatusCode.FailedPrecondition,
        MachineFault.GuestFilesMissing => StatusCode.FailedPrecondition,
        MachineFault.QemuFailed => StatusCode.Unavailable,
        MachineFault.BootTimedOut => StatusCode.Unavailable,
        MachineFault.DiskFailed => StatusCode.Unavailable,
        MachineFault.KillFailed => StatusCode.Internal,
        MachineFault.ResourceExhausted => StatusCode.ResourceExhausted,
        MachineFault.MachineGone => StatusCode.Unavailable,
        _ => StatusCode.Internal,
    };

    internal static StatusCode Code(GuestFault fault) => fault switch
    {
        GuestFault.InvalidRequest => StatusCode.InvalidArgument,
        GuestFault.NotFound => StatusCode.NotFound,
        GuestFault.AlreadyExists => StatusCode.AlreadyExists,
        GuestFault.WrongState => StatusCode.FailedPrecondition,
        GuestFault.CannotExecute => StatusCode.InvalidArgument,
        GuestFault.TimedOut => StatusCode.DeadlineExceeded,
        GuestFault.Cancelled => StatusCode.Cancelled,
        GuestFault.UnknownMethod => StatusCode.Unimplemented,
        GuestFault.ResourceExhausted => StatusCode.ResourceExhausted,
        GuestFault.ConnectionFailed => StatusCode.Unavailable,
        GuestFault.Failed => StatusCode.Internal,
        _ => StatusCode.Internal,
    };

    internal static StatusCode Code(NetworkFault fault) => fault switch
    {
        NetworkFault.NotConfigured => StatusCode.FailedPrecondition,
        NetworkFault.PluginFailed => StatusCode.Unavailable,
        NetworkFault.HostFailed => StatusCode.Internal,
        NetworkFault.TimedOut => StatusCode.Unavailable,
        _ => StatusCode.Internal,
    };
}
