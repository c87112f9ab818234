using Tmds.Linux;

namespace Vks.Runtime.Host;

/// <summary>Error numbers of Linux, as a person writes them.</summary>
internal static class Errno
{
    /// <summary>The name, e.g. <c>ENOENT</c>, or <c>errno 4095</c> for one without a name here.</summary>
    internal static string Name(int errno) => Table(errno)?.Name ?? $"errno {errno}";

    /// <summary>Name and meaning, e.g. <c>ENOENT (no such file or directory)</c>.</summary>
    internal static string Describe(int errno) => Table(errno) is var (name, meaning) ? $"{name} ({meaning})" : $"errno {errno}";

    private static (string Name, string Meaning)? Table(int errno) => Known.TryGetValue(errno, out var entry) ? entry : null;

    private static readonly Dictionary<int, (string Name, string Meaning)> Known = new()
    {
        [LibC.EPERM] = ("EPERM", "operation not permitted"),
        [LibC.ENOENT] = ("ENOENT", "no such file or directory"),
        [LibC.ESRCH] = ("ESRCH", "no such process"),
        [LibC.EINTR] = ("EINTR", "interrupted"),
        [LibC.EIO] = ("EIO", "input/output error"),
        [LibC.ENXIO] = ("ENXIO", "no such device or address"),
        [LibC.E2BIG] = ("E2BIG", "argument list too long"),
        [LibC.ENOEXEC] = ("ENOEXEC", "not a program for this machine"),
        [LibC.EBADF] = ("EBADF", "bad file descriptor"),
        [LibC.ECHILD] = ("ECHILD", "not our child"),
        [LibC.EAGAIN] = ("EAGAIN", "resource temporarily unavailable"),
        [LibC.ENOMEM] = ("ENOMEM", "out of memory"),
        [LibC.EACCES] = ("EACCES", "permission denied"),
        [LibC.ENOTBLK] = ("ENOTBLK", "not a block device"),
        [LibC.EBUSY] = ("EBUSY", "in use"),
        [LibC.EEXIST] = ("EEXIST", "exists already"),
        [LibC.ENODEV] = ("ENODEV", "no such device"),
        [LibC.ENOTDIR] = ("ENOTDIR", "not a directory"),
        [LibC.EISDIR] = ("EISDIR", "is a directory"),
        [LibC.EINVAL] = ("EINVAL", "invalid argument"),
        [LibC.ENFILE] = ("ENFILE", "too many open files on the host"),
        [LibC.EMFILE] = ("EMFILE", "too many open files in this process"),
        [LibC.ENOTTY] = ("ENOTTY", "request not supported by the device"),
        [LibC.ENOSPC] = ("ENOSPC", "no space left"),
        [LibC.EROFS] = ("EROFS", "read-only file system"),
        [LibC.EPIPE] = ("EPIPE", "the peer has gone"),
        [LibC.ENAMETOOLONG] = ("ENAMETOOLONG", "name too long"),
        [LibC.ENOSYS] = ("ENOSYS", "not in this kernel"),
        [LibC.ENOTEMPTY] = ("ENOTEMPTY", "folder not empty"),
        [LibC.ELOOP] = ("ELOOP", "too many symbolic links"),
        [LibC.ENOTSOCK] = ("ENOTSOCK", "not a socket"),
        [LibC.EOPNOTSUPP] = ("EOPNOTSUPP", "operation not supported"),
        [LibC.EAFNOSUPPORT] = ("EAFNOSUPPORT", "address family not supported"),
        [LibC.EADDRINUSE] = ("EADDRINUSE", "address in use"),
        [LibC.ECONNRESET] = ("ECONNRESET", "connection reset"),
        [LibC.ENOTCONN] = ("ENOTCONN", "not connected"),
        [LibC.ETIMEDOUT] = ("ETIMEDOUT", "timed out"),
        [LibC.ECONNREFUSED] = ("ECONNREFUSED", "nobody listens"),
    };
}
