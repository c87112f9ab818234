using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Tmds.Linux;

namespace Vks.Runtime.Host;

/// <summary>Starts one program by posix_spawn (no copy of the daemon's memory) from a thread that has taken on the child's namespaces and identity.</summary>
internal static unsafe class Spawner
{
    /// <summary>The highest number at which a child may expect a descriptor.</summary>
    internal const int MaxNumber = 63;

    /// <summary>Starts the program and returns its process id. Call on a <see cref="DedicatedThread"/> only: the thread is not usable for anything else afterwards.</summary>
    internal static int Spawn(ChildSettings settings, SafeFileHandle output)
    {
        byte* attributes = stackalloc byte[NativeMethods.SpawnStructBytes];
        byte* actions = stackalloc byte[NativeMethods.SpawnStructBytes];
        List<SafeFileHandle> copies = [];
        Native.CheckReturned(NativeMethods.SpawnAttrInit(attributes), "posix_spawnattr_init", settings.Program);
        Native.CheckReturned(NativeMethods.SpawnActionsInit(actions), "posix_spawn_file_actions_init", settings.Program);
        using NativeStrings arguments = new([settings.Program, .. settings.Arguments]);
        using NativeStrings environment = new(settings.Environment.Select(pair => $"{pair.Key}={pair.Value}"));
        try
        {
            ResetSignals(attributes);
            PlaceDescriptors(actions, settings, output, copies);
            fixed (byte* program = Native.ZeroTerminated(settings.Program))
            {
                int pid = 0;
                TakeOnIdentity(settings);
                if (settings.SmallPages)
                {
                    Native.Check(NativeMethods.PrCtl(NativeMethods.SetThpDisable, 1, 0, 0, 0), "prctl(PR_SET_THP_DISABLE)", settings.Program);
                }

                if (settings.StandIn is { } standIn)
                {
                    OpenGate.Attend(standIn, OpenGate.Install(standIn));
                }

                int errno = NativeMethods.PosixSpawn(&pid, program, actions, attributes, arguments.Pointer, environment.Pointer);
                if (settings.User is not null)
                {
                    // Changing the user made the whole daemon undumpable (its memory is shared with this thread); core dumps would be lost.
                    _ = NativeMethods.PrCtl(NativeMethods.SetDumpable, 1, 0, 0, 0);
                }

                Native.CheckReturned(errno, "posix_spawn", settings.Program);
                return pid;
            }
        }
        finally
        {
            _ = NativeMethods.SpawnActionsDestroy(actions);
            _ = NativeMethods.SpawnAttrDestroy(attributes);
            copies.ForEach(copy => copy.Dispose());
        }
    }

    /// <summary>No signal blocked, every signal at its default (.NET ignores SIGPIPE), a session of its own.</summary>
    private static void ResetSignals(byte* attributes)
    {
        byte* signals = stackalloc byte[NativeMethods.SigsetBytes];
        Span<byte> set = new(signals, NativeMethods.SigsetBytes);
        set.Clear();
        _ = NativeMethods.SpawnAttrSetSigMask(attributes, signals);
        set.Fill(0xff);
        _ = NativeMethods.SpawnAttrSetSigDefault(attributes, signals);
        _ = NativeMethods.SpawnAttrSetFlags(
            attributes, NativeMethods.PosixSpawnSetSigDef | NativeMethods.PosixSpawnSetSigMask | NativeMethods.PosixSpawnSetSid);
    }

    private static void PlaceDescriptors(byte* actions, ChildSettings settings, SafeFileHandle output, List<SafeFileHandle> copies)
    {
        string program = settings.Program;
        int outputCopy = Copy(output, copies);
        Native.CheckReturned(NativeMethods.SpawnActionsAddOpen(actions, 0, "/dev/null", LibC.O_RDONLY, 0), "addopen", program);
        Native.CheckReturned(NativeMethods.SpawnActionsAddDup2(actions, outputCopy, 1), "adddup2", program);
        Native.CheckReturned(NativeMethods.SpawnActionsAddDup2(actions, outputCopy, 2), "adddup2", program);
        foreach ((int number, SafeHandle handle) in settings.Descriptors)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(number, 3);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(number, MaxNumber);
            Native.CheckReturned(NativeMethods.SpawnActionsAddDup2(actions, Copy(handle, copies), number), "adddup2", program);
        }

        // Everything of ours is close-on-exec; this also closes what a library may have opened without.
        Native.CheckReturned(NativeMethods.SpawnActionsAddCloseFrom(actions, MaxNumber + 1), "addclosefrom_np", program);
    }

    // Copies stand above MaxNumber, so that placing one descriptor never overwrites another that is still to be placed.
    private static int Copy(SafeHandle handle, List<SafeFileHandle> copies)
    {
        bool referenced = false;
        handle.DangerousAddRef(ref referenced);
        try
        {
            copies.Add(Native.DuplicateHigh((int)handle.DangerousGetHandle()));
        }
        finally
        {
            handle.DangerousRelease();
        }

        return (int)copies[^1].DangerousGetHandle();
    }

    private static void TakeOnIdentity(ChildSettings settings)
    {
        if (settings.NetnsPath is { } netns)
        {
            DedicatedThread.EnterNetns(netns);
        }

        if (settings.OwnMountNamespace)
        {
            Native.Check(LibC.unshare(LibC.CLONE_NEWNS), "unshare(CLONE_NEWNS)", settings.Program);
            fixed (byte* none = "none\0"u8, root = "/\0"u8)
            {
                Native.Check(LibC.mount(none, root, null, LibC.MS_REC | LibC.MS_SLAVE, null), "mount(MS_SLAVE)", "/");
            }
        }

        if (settings.Root is { } own)
        {
            ClosedRoot.Enter(own, settings.Program);
        }

        Native.Check(NativeMethods.PrCtl(NativeMethods.SetNoNewPrivs, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)", settings.Program);
        if (settings.User is { } user)
        {
            DropTo(user);
        }
    }

    // Raw calls: those of libc change all threads of the daemon (nptl(7)). Groups first, the right to change them goes with the user.
    private static void DropTo(ChildUser user)
    {
        uint[] groups = [.. user.SupplementaryGroups, 0];
        fixed (uint* list = groups)
        {
            CheckSyscall(LibC.syscall(NativeMethods.SyscallSetGroups, groups.Length - 1, list), "setgroups", $"group {user.GroupId}");
        }

        uint group = user.GroupId;
        uint id = user.UserId;
        CheckSyscall(LibC.syscall(NativeMethods.SyscallSetResGid, group, group, group), "setresgid", $"group {group}");
        if (user.Capabilities.Count == 0)
        {
            CheckSyscall(LibC.syscall(NativeMethods.SyscallSetResUid, id, id, id), "setresuid", $"user {id}");
            return;
        }

        Native.Check(NativeMethods.PrCtl(NativeMethods.SetKeepCaps, 1, 0, 0, 0), "prctl(PR_SET_KEEPCAPS)", $"user {id}");
        CheckSyscall(LibC.syscall(NativeMethods.SyscallSetResUid, id, id, id), "setresuid", $"user {id}");
        KeepOnly(user.Capabilities);
    }

    // Ambient ones alone survive the execution of a program without capabilities of its own (capabilities(7)).
    private static void KeepOnly(IReadOnlyList<int> capabilities)
    {
        ulong all = 0;
        foreach (int capability in capabilities)
        {
            all |= 1ul << capability;
        }

        // struct __user_cap_header_struct (version 3, this thread), then effective, permitted, inheritable, low words first.
        uint* header = stackalloc uint[2] { 0x20080522, 0 };
        (uint low, uint high) = ((uint)all, (uint)(all >> 32));
        uint* sets = stackalloc uint[6] { low, low, low, high, high, high };
        CheckSyscall(LibC.syscall(NativeMethods.SyscallCapSet, header, sets), "capset", "the child");
        foreach (int capability in capabilities)
        {
            Native.Check(
                NativeMethods.PrCtl(NativeMethods.CapAmbient, NativeMethods.CapAmbientRaise, (nuint)capability, 0, 0), "prctl(PR_CAP_AMBIENT)", $"capability {capability}");
        }
    }

    private static void CheckSyscall(syscall_arg result, string call, string subject) =>
        Native.Check((int)(long)result, call, subject, "the daemon must run as root");

    /// <summary>A null-terminated array of C strings.</summary>
    private sealed class NativeStrings : IDisposable
    {
        private readonly int _count;

        internal NativeStrings(IEnumerable<string> strings)
        {
            string[] all = [.. strings];
            if (all.FirstOrDefault(text => text.Contains('\0', StringComparison.Ordinal)) is { } broken)
            {
                throw new ArgumentException($"'{broken.Replace("\0", "\\0", StringComparison.Ordinal)}' holds a zero character and cannot be passed to a program.", nameof(strings));
            }

            _count = all.Length;
            Pointer = (byte**)NativeMemory.AllocZeroed((nuint)(_count + 1), (nuint)sizeof(byte*));
            for (int i = 0; i < _count; i++)
            {
                Pointer[i] = (byte*)Marshal.StringToCoTaskMemUTF8(all[i]);
            }
        }

        internal byte** Pointer { get; }

        public void Dispose()
        {
            for (int i = 0; i < _count; i++)
            {
                Marshal.FreeCoTaskMem((nint)Pointer[i]);
            }

            NativeMemory.Free(Pointer);
        }
    }
}
