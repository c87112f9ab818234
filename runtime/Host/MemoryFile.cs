using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Vks.Runtime.Host;

/// <summary>Files without a name that live in memory (memfd_create(2), Linux 3.17).</summary>
internal static partial class MemoryFile
{
    /// <summary>Makes an empty one, readable and writable by whoever is handed it.</summary>
    /// <param name="name">For people who look at /proc.</param>
    /// <exception cref="HostException">No memory, or no descriptor left.</exception>
    internal static SafeFileHandle Create(string name)
    {
        const uint CloseOnExec = 1;
        SafeFileHandle file = MemFdCreate(name, CloseOnExec);
        return file.IsInvalid ? throw new HostException("memfd_create", name, Marshal.GetLastPInvokeError()) : file;
    }

    /// <summary>The same file opened anew, with a position of its own.</summary>
    internal static SafeFileHandle Reopen(SafeFileHandle file) =>
        File.OpenHandle($"/proc/self/fd/{file.DangerousGetHandle()}", FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);

    /// <summary>memfd_create(2).</summary>
    [LibraryImport("libc", EntryPoint = "memfd_create", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle MemFdCreate(string name, uint flags);
}
