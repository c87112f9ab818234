namespace Vks.Runtime.Host;

/// <summary>A system call failed. The message says which, on what, and the errno by name.</summary>
public sealed class HostException : Exception
{
    /// <summary>Describes a failed call.</summary>
    /// <param name="call">The system call, e.g. <c>setns</c>.</param>
    /// <param name="subject">What it was tried on: a path, a process, an interface.</param>
    /// <param name="errno">The error number it returned.</param>
    /// <param name="advice">What a person can do, or null.</param>
    public HostException(string call, string subject, int errno, string? advice = null)
        : base($"{call} on {subject} failed: {Host.Errno.Describe(errno)}{(advice is null ? "" : $"; {advice}")}")
    {
        Call = call;
        Subject = subject;
        Errno = errno;
    }

    /// <summary>The system call that failed.</summary>
    public string Call { get; }

    /// <summary>What it was tried on.</summary>
    public string Subject { get; }

    /// <summary>The error number.</summary>
    public int Errno { get; }

    /// <summary>The error's name, e.g. <c>ENOENT</c>.</summary>
    public string ErrnoName => Host.Errno.Name(Errno);
}
