namespace Vks.Agent.Host;

/// <summary>Makes descriptors, all close-on-exec.</summary>
internal static unsafe class Descriptors
{
    /// <summary>Whether the descriptor is an end of a pipe.</summary>
    internal static bool IsPipe(int fd)
    {
        const int EmptyPath = 0x1000, ModeOffset = 28; // AT_EMPTY_PATH, struct statx
        const uint StatusType = 1, TypeMask = 0xf000, Pipe = 0x1000;
        byte* status = stackalloc byte[256];
        return Libc.Status(fd, "", EmptyPath, StatusType, status) == 0 && (*(ushort*)(status + ModeOffset) & TypeMask) == Pipe;
    }

    /// <summary>A pipe, both ends alike.</summary>
    internal static (int Reader, int Writer) Pipe(bool nonBlocking = false)
    {
        int* ends = stackalloc int[2];
        return Libc.Pipe(ends, Constants.OpenCloseOnExec | (nonBlocking ? Constants.OpenNonBlocking : 0)) == 0 ? (ends[0], ends[1]) : throw SystemError.Last("Making a pipe");
    }

    /// <summary>Reads what a non-blocking descriptor has now, up to the buffer's length; gives how much that was.</summary>
    internal static int ReadAvailable(int fd, Span<byte> buffer)
    {
        var length = 0;
        fixed (byte* start = buffer)
        {
            while (length < buffer.Length && Libc.Read(fd, start + length, (nuint)(buffer.Length - length)) is var got and > 0)
            {
                length += (int)got;
            }
        }

        return length;
    }

    /// <summary>/dev/null, for reading and writing.</summary>
    internal static int Null() => Open("/dev/null", Constants.OpenReadWrite);

    /// <summary>Opens a path.</summary>
    internal static int Open(string path, int flags)
    {
        int fd = Libc.Open(path, flags | Constants.OpenCloseOnExec, 0);
        return fd >= 0 ? fd : throw SystemError.Last($"Opening {path}");
    }

    /// <summary>Closes what was opened; negative numbers are nothing.</summary>
    internal static void Close(params ReadOnlySpan<int> fds)
    {
        foreach (int fd in fds)
        {
            if (fd >= 0)
            {
                _ = Libc.Close(fd);
            }
        }
    }

    /// <summary>Sets a terminal's size, TIOCSWINSZ.</summary>
    internal static void Resize(int terminal, int columns, int rows)
    {
        ushort* size = stackalloc ushort[4] { (ushort)rows, (ushort)columns, 0, 0 };
        if (Libc.IoControl(terminal, Constants.SetWindowSize, size) != 0)
        {
            throw SystemError.Last($"Setting a terminal to {columns}x{rows}");
        }
    }

    /// <summary>Reads the first line of a small file of the kernel's; .NET's own way goes through much more code.</summary>
    internal static string ReadLine(string path)
    {
        int fd = Open(path, Constants.OpenReadOnly);
        try
        {
            return ReadAll(fd, 256).Trim();
        }
        finally
        {
            _ = Libc.Close(fd);
        }
    }

    /// <summary>Reads a file below <paramref name="root"/> as a process rooted there would see it: links never lead out of it.</summary>
    /// <returns>Its text, or null when there is no such file.</returns>
    internal static string? ReadInRoot(string root, string path, int limitBytes)
    {
        // Non-blocking: an image may hold a FIFO under that name.
        int fd = OpenInRoot(root, path, Constants.OpenReadOnly | Constants.OpenNonBlocking | Constants.OpenNoControllingTerminal);
        if (fd < 0)
        {
            return null;
        }

        try
        {
            return ReadAll(fd, limitBytes);
        }
        finally
        {
            _ = Libc.Close(fd);
        }
    }

    /// <summary>Follows all links of a path below <paramref name="root"/> as a process rooted there would.</summary>
    /// <returns>The path without links, root included, or null when there is no such file.</returns>
    internal static string? ResolveInRoot(string root, string path)
    {
        int fd = OpenInRoot(root, path, Constants.OpenPath);
        if (fd < 0)
        {
            return null;
        }

        try
        {
            return new FileInfo($"/proc/self/fd/{fd}").LinkTarget;
        }
        finally
        {
            _ = Libc.Close(fd);
        }
    }

    /// <returns>A descriptor, or a negative number when there is no such file.</returns>
    private static int OpenInRoot(string root, string path, int flags)
    {
        const int OpenAt2Call = 437;
        const ulong ResolveInRoot = 0x10, ResolveNoMagicLinks = 2;
        int directory = Open(root, Constants.OpenPath | Constants.OpenDirectory);
        try
        {
            var how = new OpenHow { Flags = (ulong)(flags | Constants.OpenCloseOnExec), Resolve = ResolveInRoot | ResolveNoMagicLinks };
            byte[] name = System.Text.Encoding.UTF8.GetBytes(path.TrimStart('/') + "\0");
            fixed (byte* start = name)
            {
                return (int)Libc.SystemCall(OpenAt2Call, directory, (nint)start, (nint)(&how), sizeof(OpenHow));
            }
        }
        finally
        {
            _ = Libc.Close(directory);
        }
    }

    private static string ReadAll(int fd, int limitBytes)
    {
        // Such files are small: room for the limit would cost a container's creation hundreds of page faults.
        var bytes = new byte[Math.Min(limitBytes, 4096)];
        var length = 0;
        while (length < limitBytes)
        {
            if (length == bytes.Length)
            {
                Array.Resize(ref bytes, Math.Min(limitBytes, bytes.Length * 2));
            }

            fixed (byte* start = bytes)
            {
                nint got = Libc.Read(fd, start + length, (nuint)(bytes.Length - length));
                if (got <= 0)
                {
                    break;
                }

                length += (int)got;
            }
        }

        return System.Text.Encoding.UTF8.GetString(bytes, 0, length);
    }
}
