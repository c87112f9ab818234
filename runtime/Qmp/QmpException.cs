namespace Vks.Runtime.Qmp;

/// <summary>Why a QMP command has no result.</summary>
internal enum QmpFault
{
    /// <summary>QEMU refused or failed the command; see <see cref="QmpException.ErrorClass"/>.</summary>
    CommandFailed = 1,

    /// <summary>The connection ended before the answer; whether the command took effect is not known.</summary>
    ConnectionLost = 2,

    /// <summary>The peer does not speak QMP as it should; the connection is given up.</summary>
    ProtocolError = 3,

    /// <summary>An expected answer or event did not come in time.</summary>
    TimedOut = 4,
}

/// <summary>A QMP command has no result. The message names the command and what came back.</summary>
internal sealed class QmpException(QmpFault fault, string command, string message, string? errorClass = null, Exception? cause = null)
    : Exception(message, cause)
{
    /// <summary>The kind of fault.</summary>
    internal QmpFault Fault { get; } = fault;

    /// <summary>The command, e.g. <c>device_add</c>.</summary>
    internal string Command { get; } = command;

    /// <summary>QEMU's error class for <see cref="QmpFault.CommandFailed"/>, e.g. <c>DeviceNotFound</c> or <c>GenericError</c>.</summary>
    internal string? ErrorClass { get; } = errorClass;
}
