using System.Runtime.InteropServices;

namespace Vks.Agent.Host;

/// <summary>posix_spawn(3) of a program with given descriptors; everything else of ours is close-on-exec.</summary>
/// <remarks>System.Diagnostics.Process is not used: it reaps by itself and would take exits from <see cref="Reaper"/>.</remarks>
internal static unsafe class ChildProcess
{
    private const short SetSignalDefaults = 4, SetSignalMask = 8, SetSession = 0x80;
    private static readonly string[] _environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"];

    /// <summary>Starts a program in a session of its own and gives its pid.</summary>
    /// <param name="path">The program.</param>
    /// <param name="arguments">Its arguments, name first.</param>
    /// <param name="input">Becomes descriptor 0.</param>
    /// <param name="output">Becomes descriptor 1.</param>
    /// <param name="error">Becomes descriptor 2.</param>
    /// <param name="environment"><c>NAME=value</c> entries; null for a path to the guest's programs.</param>
    /// <param name="kept">Further descriptors, above 2, that it has under their numbers.</param>
    internal static int Spawn(
        string path, IReadOnlyList<string> arguments, int input, int output, int error, IReadOnlyList<string>? environment = null, params ReadOnlySpan<int> kept)
    {
        environment ??= _environment;
        byte* actions = stackalloc byte[128];
        byte* attributes = stackalloc byte[512];
        byte* none = stackalloc byte[128];
        byte* all = stackalloc byte[128];
        new Span<byte>(none, 128).Clear();
        new Span<byte>(all, 128).Fill(0xff);
        // On the heap: an exec may bring hundreds of thousands of arguments.
        var words = new nint[arguments.Count + 1 + environment.Count + 1];
        fixed (nint* start = words)
        {
            Copy(arguments, words);
            Copy(environment, words.AsSpan(arguments.Count + 1));
            _ = Libc.FileActionsInit(actions);
            _ = Libc.SpawnAttributesInit(attributes);
            try
            {
                _ = Libc.FileActionsAddDup(actions, input, 0);
                _ = Libc.FileActionsAddDup(actions, output, 1);
                _ = Libc.FileActionsAddDup(actions, error, 2);
                foreach (int fd in kept)
                {
                    // Onto itself: glibc then takes close-on-exec off, in the child alone.
                    _ = Libc.FileActionsAddDup(actions, fd, fd);
                }

                _ = Libc.SpawnAttributesSetMask(attributes, none);
                // The runtime ignores SIGPIPE; a container must find it at its default.
                _ = Libc.SpawnAttributesSetDefault(attributes, all);
                _ = Libc.SpawnAttributesSetFlags(attributes, SetSignalDefaults | SetSignalMask | SetSession);
                int pid;
                int errno = Libc.Spawn(&pid, path, actions, attributes, (byte**)start, (byte**)(start + arguments.Count + 1));
                return errno == 0 ? pid : throw SystemError.From($"Starting {path}", errno);
            }
            finally
            {
                _ = Libc.FileActionsDestroy(actions);
                _ = Libc.SpawnAttributesDestroy(attributes);
                foreach (nint word in words)
                {
                    Marshal.FreeCoTaskMem(word);
                }
            }
        }
    }

    private static void Copy(IReadOnlyList<string> texts, Span<nint> words)
    {
        for (var i = 0; i < texts.Count; i++)
        {
            words[i] = Marshal.StringToCoTaskMemUTF8(texts[i]);
        }
    }
}
