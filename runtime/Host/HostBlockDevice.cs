using System.Globalization;
using Microsoft.Win32.SafeHandles;
using Tmds.Linux;

namespace Vks.Runtime.Host;

/// <summary>A block device of the host by its number, which stays the same whatever path leads to it.</summary>
/// <param name="Major">Which driver.</param>
/// <param name="Minor">Which of its devices.</param>
public readonly record struct HostBlockDevice(uint Major, uint Minor)
{
    private const uint TypeMask = 0xf000, BlockDevice = 0x6000; // S_IFMT and S_IFBLK, inode(7)

    /// <summary>Opens the device that a path leads to, symbolic links followed.</summary>
    /// <param name="path">Absolute.</param>
    /// <param name="readOnly">Not for writing.</param>
    /// <param name="device">Which one it is.</param>
    /// <exception cref="HostException">Nothing is there, it is no block device (ENOTBLK), or the kernel refuses to open it: EROFS when it is read-only.</exception>
    public static SafeFileHandle Open(string path, bool readOnly, out HostBlockDevice device)
    {
        ArgumentNullException.ThrowIfNull(path);

        // Looked at first: opening a pipe waits for its other end, and a character device may do anything when it is opened.
        if (FileKinds.Of(path) is FileKind.Regular or FileKind.Other)
        {
            throw new HostException("open", path, LibC.ENOTBLK);
        }

        SafeFileHandle file = Native.Open(path, (readOnly ? LibC.O_RDONLY : LibC.O_RDWR) | LibC.O_NONBLOCK);
        try
        {
            device = Of(file, path);

            // The kernel lets it be opened and refuses each write.
            return readOnly || Ask<int>(file, path, NativeMethods.BlockGetReadOnly, "BLKROGET") == 0 ? file : throw new HostException("open", path, LibC.EROFS);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Bytes it holds, 0 without a medium.</summary>
    /// <exception cref="HostException">It cannot tell.</exception>
    public static long SizeOf(SafeFileHandle file, string path)
    {
        ArgumentNullException.ThrowIfNull(file);
        return (long)Ask<ulong>(file, path, NativeMethods.BlockGetSize, "BLKGETSIZE64");
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Major}:{Minor}");

    private static unsafe T Ask<T>(SafeFileHandle file, string path, ulong request, string name)
        where T : unmanaged
    {
        T answer = default;
        bool referenced = false;
        try
        {
            file.DangerousAddRef(ref referenced);
            Native.Check(NativeMethods.IoCtl((int)file.DangerousGetHandle(), request, &answer), $"ioctl({name})", path);
            return answer;
        }
        finally
        {
            if (referenced)
            {
                file.DangerousRelease();
            }
        }
    }

    private static unsafe HostBlockDevice Of(SafeFileHandle file, string path)
    {
        stat status = default;
        Native.Check(LibC.fstat((int)file.DangerousGetHandle(), &status), "fstat", path);
        if (((uint)status.st_mode & TypeMask) != BlockDevice)
        {
            throw new HostException("open", path, LibC.ENOTBLK);
        }

        // As gnu_dev_major(3) and gnu_dev_minor(3) of glibc take it apart.
        ulong number = (ulong)status.st_rdev;
        return new HostBlockDevice((uint)(((number >> 8) & 0xfff) | ((number >> 32) & ~0xffful)), (uint)((number & 0xff) | ((number >> 12) & ~0xfful)));
    }
}
