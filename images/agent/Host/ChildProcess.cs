using System.Runtime.InteropServices;

namespace Vks.Agent.Host;

/// <summary>posix_spawn(3) of a program with three given descriptors; everything else of ours is close-on-exec.</summary>
/// <remarks>System.Diagnostics.Process is not used: it reaps by itself and would take exits from <see cref="Reaper"/>.</remarks>
internal static unsafe class ChildProcess
{
    private const short SetSignalDefaults = 4, SetSignalMask = 8, SetSession = 0x80;

    /// <summary>Starts a program in a session of its own and gives its pid.</summary>
    /// <param name="path">The program.</param>
    /// <param name="arguments">Its arguments, name first.</param>
    /// <param name="input">Becomes descriptor 0.</param>
    /// <param name="output">Becomes descriptor 1.</param>
    /// <param name="error">Becomes descriptor 2.</param>
    internal static int Spawn(string path, IReadOnlyList<string> arguments, int input, int output, int error)
    {
        byte* actions = stackalloc byte[128];
        byte* attributes = stackalloc byte[512];
        byte* none = stackalloc byte[128];
        byte* all = stackalloc byte[128];
        new Span<byte>(none, 128).Clear();
        new Span<byte>(all, 128).Fill(0xff);
        byte** environment = stackalloc byte*[2];
        byte** argv = stackalloc byte*[arguments.Count + 1];
        fixed (byte* pathEntry = "PATH=/usr/sbin:/usr/bin:/sbin:/bin\0"u8)
        {
            environment[0] = pathEntry;
            environment[1] = null;
            for (var i = 0; i < arguments.Count; i++)
            {
                argv[i] = (byte*)Marshal.StringToCoTaskMemUTF8(arguments[i]);
            }

            argv[arguments.Count] = null;
            _ = Libc.FileActionsInit(actions);
            _ = Libc.SpawnAttributesInit(attributes);
            try
            {
                _ = Libc.FileActionsAddDup(actions, input, 0);
                _ = Libc.FileActionsAddDup(actions, output, 1);
                _ = Libc.FileActionsAddDup(actions, error, 2);
                _ = Libc.SpawnAttributesSetMask(attributes, none);
                // The runtime ignores SIGPIPE; a container must find it at its default.
                _ = Libc.SpawnAttributesSetDefault(attributes, all);
                _ = Libc.SpawnAttributesSetFlags(attributes, SetSignalDefaults | SetSignalMask | SetSession);
                int pid;
                int errno = Libc.Spawn(&pid, path, actions, attributes, argv, environment);
                return errno == 0 ? pid : throw SystemError.From($"Starting {path}", errno);
            }
            finally
            {
                _ = Libc.FileActionsDestroy(actions);
                _ = Libc.SpawnAttributesDestroy(attributes);
                for (var i = 0; i < arguments.Count; i++)
                {
                    Marshal.FreeCoTaskMem((nint)argv[i]);
                }
            }
        }
    }
}
