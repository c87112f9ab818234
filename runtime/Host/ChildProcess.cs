namespace Vks.Runtime.Host;

/// <summary>A program started by us, which outlives us if it must.</summary>
internal sealed class ChildProcess : IDisposable
{
    /// <summary>Takes hold of it, signals it, tells when it ended.</summary>
    internal PidFd Process => throw new NotSupportedException();

    /// <summary>The last 16 KiB of what it wrote to stdout and stderr.</summary>
    internal string OutputTail => throw new NotSupportedException();

    /// <summary>Starts the program; completes once it has been executed.</summary>
    /// <exception cref="HostException">Names the step that failed; nothing runs then.</exception>
    internal static Task<ChildProcess> StartAsync(ChildSettings settings) => throw new NotSupportedException();

    /// <summary>Lets go of the process; it goes on running.</summary>
    public void Dispose() => throw new NotSupportedException();
}
