using Vks.Runtime.Guest.Protocol;

namespace Vks.Spherelet.Pods;

/// <summary>A container as it is kept on disk: what was asked for, and facts that have come true. State is derived from them.</summary>
internal sealed record ContainerRecord
{
    /// <summary>64 hex digits.</summary>
    public required string Id { get; init; }

    /// <summary>Its pod sandbox.</summary>
    public required string PodId { get; init; }

    /// <summary>What was asked for.</summary>
    public required ContainerConfig Config { get; init; }

    /// <summary>The image it was made from, <c>sha256:…</c>.</summary>
    public required string ImageId { get; init; }

    /// <summary>What CRI calls image_ref.</summary>
    public required string ImageRef { get; init; }

    /// <summary>Disks it needs, by serial: the image's, those of image volumes, block devices of the host.</summary>
    public required IReadOnlyList<string> Disks { get; init; }

    /// <summary>Signal to stop with, 1 to 64.</summary>
    public required int StopSignal { get; init; }

    /// <summary>Its program with arguments and environment, the image's and the caller's together.</summary>
    public ProcessSpec? Process { get; init; }

    /// <summary>Who its first process is, once the guest has looked; null before.</summary>
    public ContainerMade? User { get; init; }

    /// <summary>Absolute path of the log file, or empty.</summary>
    public string LogPath { get; init; } = "";

    /// <summary>When it was made, nanoseconds since 1970-01-01 UTC.</summary>
    public required long CreatedUnixNanoseconds { get; init; }

    /// <summary>The guest has it. Without it, a restarted daemon clears the container away.</summary>
    public bool Made { get; init; }

    /// <summary>When its program started, or 0.</summary>
    public long StartedUnixNanoseconds { get; init; }

    /// <summary>Process id of its program in the guest, or 0 before it was started.</summary>
    public int GuestPid { get; init; }

    /// <summary>When it ended, or 0.</summary>
    public long FinishedUnixNanoseconds { get; init; }

    /// <summary>0 to 255; 128 + signal when a signal ended it.</summary>
    public int ExitCode { get; init; }

    /// <summary>One CamelCase word: Completed, Error, OOMKilled, StartError; empty before the end.</summary>
    public string Reason { get; init; } = "";

    /// <summary>For a person; mostly empty.</summary>
    public string Message { get; init; } = "";

    /// <summary>Its life so far.</summary>
    public ContainerPhase Phase => FinishedUnixNanoseconds != 0 ? ContainerPhase.Exited
        : StartedUnixNanoseconds != 0 ? ContainerPhase.Running
        : ContainerPhase.Created;
}

/// <summary>How far a container is.</summary>
/// <remarks><code>Created ──► Running ──► Exited      Created ──(cannot start)──► Exited</code></remarks>
internal enum ContainerPhase
{
    /// <summary>Not yet started.</summary>
    Created = 0,

    /// <summary>Started, not ended.</summary>
    Running = 1,

    /// <summary>Ended.</summary>
    Exited = 2,
}
