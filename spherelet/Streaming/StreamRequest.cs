namespace Vks.Spherelet.Streaming;

/// <summary>What a URL that was handed out stands for.</summary>
internal abstract record StreamRequest
{
    /// <summary>First segment of its path.</summary>
    public abstract string Verb { get; }
}

/// <summary>A session with the streams of one process.</summary>
internal abstract record ProcessStreamRequest : StreamRequest
{
    /// <summary>Full id of the container.</summary>
    public required string ContainerId { get; init; }

    /// <summary>One terminal instead of pipes; never together with <see cref="Stderr"/>.</summary>
    public bool Tty { get; init; }

    /// <summary>The client sends standard input.</summary>
    public bool Stdin { get; init; }

    /// <summary>The client gets standard output.</summary>
    public bool Stdout { get; init; }

    /// <summary>The client gets standard error.</summary>
    public bool Stderr { get; init; }
}

/// <summary>Run one more process in a container.</summary>
internal sealed record ExecStreamRequest : ProcessStreamRequest
{
    /// <inheritdoc/>
    public override string Verb => "exec";

    /// <summary>Program and arguments.</summary>
    public required IReadOnlyList<string> Command { get; init; }
}

/// <summary>Join the streams of a container's first process.</summary>
internal sealed record AttachStreamRequest : ProcessStreamRequest
{
    /// <inheritdoc/>
    public override string Verb => "attach";
}

/// <summary>Reach TCP ports inside the guest of a pod.</summary>
internal sealed record PortForwardStreamRequest : StreamRequest
{
    /// <inheritdoc/>
    public override string Verb => "portforward";

    /// <summary>Full id of the pod sandbox.</summary>
    public required string PodId { get; init; }

    /// <summary>Ports 1 to 65535, for clients that cannot name them in the session (WebSocket channels).</summary>
    public IReadOnlyList<int> Ports { get; init; } = [];
}
