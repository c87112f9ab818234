using System.Text;
using Microsoft.Win32.SafeHandles;
using Tmds.Linux;

namespace Vks.Runtime.Host;

/// <summary>Small steps that several system calls share.</summary>
internal static unsafe class Native
{
    /// <summary>Throws when a call returned -1, with its errno.</summary>
    internal static int Check(int result, string call, string subject, string? advice = null) =>
        result >= 0 ? result : throw new HostException(call, subject, LibC.errno, advice);

    /// <summary>Throws when a call of the posix_spawn family returned an error number.</summary>
    internal static void CheckReturned(int errno, string call, string subject)
    {
        if (errno != 0)
        {
            throw new HostException(call, subject, errno);
        }
    }

    /// <summary>The text with a terminating zero, as file names are passed.</summary>
    internal static byte[] ZeroTerminated(string text) => Encoding.UTF8.GetBytes(text + '\0');

    /// <summary>open(2), always with O_CLOEXEC.</summary>
    internal static SafeFileHandle Open(string path, int flags, string? advice = null)
    {
        fixed (byte* name = ZeroTerminated(path))
        {
            return new SafeFileHandle(Check(LibC.open(name, flags | LibC.O_CLOEXEC, default), "open", path, advice), ownsHandle: true);
        }
    }

    /// <summary>A second descriptor for the same open file, numbered 64 or higher, out of the way of the numbers a child expects.</summary>
    internal static SafeFileHandle DuplicateHigh(int descriptor) =>
        new(Check(LibC.fcntl(descriptor, LibC.F_DUPFD_CLOEXEC, 64), "fcntl(F_DUPFD_CLOEXEC)", $"descriptor {descriptor}"), ownsHandle: true);
}
