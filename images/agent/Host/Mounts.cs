using System.Runtime.InteropServices;

namespace Vks.Agent.Host;

/// <summary>mount(2) and umount2(2) with errors that name both ends.</summary>
internal static class Mounts
{
    /// <summary>Mounts, making the target directory first.</summary>
    internal static void Mount(string source, string target, string type, ulong flags = 0, string? options = null)
    {
        Directory.CreateDirectory(target);
        if (Libc.Mount(source, target, type, flags, options) != 0)
        {
            throw SystemError.Last($"Mounting {type} '{source}' on {target} with options '{options}'");
        }
    }

    /// <summary>Unmounts; a target that is no mount is fine. A busy one is detached, so that nothing keeps its name.</summary>
    internal static void Unmount(string target)
    {
        if (Libc.Unmount(target, 0) == 0)
        {
            return;
        }

        int errno = Marshal.GetLastPInvokeError();
        if (errno is Constants.Invalid or Constants.NoEntry)
        {
            return;
        }

        if (Libc.Unmount(target, Constants.UmountDetach) != 0)
        {
            throw SystemError.Last($"Unmounting {target}");
        }
    }
}
