using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Network;

namespace Vks.Spherelet.Pods;

/// <summary>A pod sandbox as it is kept on disk: what was asked for, and facts that have come true. State is derived from them.</summary>
internal sealed record PodRecord
{
    /// <summary>64 hex digits; also the machine's id.</summary>
    public required string Id { get; init; }

    /// <summary>What was asked for.</summary>
    public required PodConfig Config { get; init; }

    /// <summary>When it was asked for, nanoseconds since 1970-01-01 UTC.</summary>
    public required long CreatedUnixNanoseconds { get; init; }

    /// <summary>Its network, once it had one.</summary>
    public PodNetwork? Network { get; init; }

    /// <summary>
    /// Limits of all its containers together since they were last changed; null before, when its machine's size is the limit. What a pod
    /// is made with is no such limit: a kubelet sums up those containers that have one, and others may have none.
    /// </summary>
    public ResourceLimits? Limits { get; init; }

    /// <summary>Most MiB of a disk for one of its emptyDirs; 0: they are shared from the host.</summary>
    public int EmptyDirMiB { get; init; }

    /// <summary>RunPodSandbox came to its end. Without it, a restarted daemon clears the pod away.</summary>
    public bool Made { get; init; }

    /// <summary>StopPodSandbox was asked for; the sandbox never gets ready again.</summary>
    public bool Stopped { get; init; }
}
