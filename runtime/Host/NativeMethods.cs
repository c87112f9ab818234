using System.Runtime.InteropServices;

namespace Vks.Runtime.Host;

/// <summary>Calls of libc that Tmds.LibC does not have.</summary>
internal static unsafe partial class NativeMethods
{
    /// <summary>Size that holds glibc's <c>posix_spawnattr_t</c> (336 bytes) and <c>posix_spawn_file_actions_t</c> (80 bytes).</summary>
    internal const int SpawnStructBytes = 512;

    /// <summary>Size of glibc's <c>sigset_t</c> in bytes.</summary>
    internal const int SigsetBytes = 128;

    internal const short PosixSpawnSetSigDef = 0x04;
    internal const short PosixSpawnSetSigMask = 0x08;
    internal const short PosixSpawnSetSid = 0x80; // glibc 2.26

    internal const int PidFdIdType = 3; // P_PIDFD of waitid(2), Linux 5.4
    internal const int WaitExited = 4; // WEXITED
    internal const int ChildExitedCode = 1; // CLD_EXITED of sigaction(2)

    internal const int SetDumpable = 4; // PR_SET_DUMPABLE of prctl(2)
    internal const int SetNoNewPrivs = 38; // PR_SET_NO_NEW_PRIVS of prctl(2)
    internal const int SetThpDisable = 41; // PR_SET_THP_DISABLE of prctl(2), Linux 3.15
    internal const int SetKeepCaps = 8; // PR_SET_KEEPCAPS of prctl(2)
    internal const int CapAmbient = 47, CapAmbientRaise = 2; // PR_CAP_AMBIENT of prctl(2)

    internal const ulong TunSetIff = 0x400454ca; // _IOW('T', 202, int) of linux/if_tun.h

    internal const ulong BlockGetReadOnly = 0x125e; // BLKROGET, _IO(0x12, 94) of linux/fs.h
    internal const ulong BlockGetSize = 0x80081272; // BLKGETSIZE64, _IOR(0x12, 114, size_t) of linux/fs.h

    // The numbers of these three are the same on every architecture (Linux 5.1 and later).
    internal const int SyscallPidfdSendSignal = 424;
    internal const int SyscallPidfdOpen = 434;

    /// <summary>The number of a call that differs by architecture: x86-64 or the generic table of arm64 and riscv64.</summary>
    internal static int SyscallSetGroups => IsX64 ? 116 : 159;

    internal static int SyscallSetResUid => IsX64 ? 117 : 147;

    internal static int SyscallSetResGid => IsX64 ? 119 : 149;

    internal static int SyscallCapSet => IsX64 ? 126 : 91;

    internal static int SyscallPivotRoot => IsX64 ? 155 : 41;

    private static bool IsX64 => RuntimeInformation.ProcessArchitecture == Architecture.X64;

    /// <summary>waitid(2).</summary>
    [LibraryImport("libc", EntryPoint = "waitid", SetLastError = true)]
    internal static partial int WaitId(int idType, int id, byte* siginfo, int options);

    internal const int ClockRealtime = 0;

    /// <summary>timerfd_create(2).</summary>
    [LibraryImport("libc", EntryPoint = "timerfd_create", SetLastError = true)]
    internal static partial int TimerCreate(int clock, int flags);

    /// <summary>timerfd_settime(2); a struct itimerspec is four numbers of 8 bytes.</summary>
    [LibraryImport("libc", EntryPoint = "timerfd_settime", SetLastError = true)]
    internal static partial int TimerSet(int descriptor, int flags, long[] newValue, long* oldValue);

    /// <summary>prctl(2).</summary>
    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    internal static partial int PrCtl(int option, nuint argument2, nuint argument3, nuint argument4, nuint argument5);

    /// <summary>ioctl(2) with a pointer.</summary>
    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    internal static partial int IoCtl(int descriptor, ulong request, void* argument);

    /// <summary>posix_spawnattr_init(3).</summary>
    [LibraryImport("libc", EntryPoint = "posix_spawnattr_init")]
    internal static partial int SpawnAttrInit(byte* attributes);

    /// <summary>posix_spawnattr_destroy(3).</summary>
    [LibraryImport("libc", EntryPoint = "posix_spawnattr_destroy")]
    internal static partial int SpawnAttrDestroy(byte* attributes);

    /// <summary>posix_spawnattr_setflags(3).</summary>
    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setflags")]
    internal static partial int SpawnAttrSetFlags(byte* attributes, short flags);

    /// <summary>posix_spawnattr_setsigdefault(3).</summary>
    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigdefault")]
    internal static partial int SpawnAttrSetSigDefault(byte* attributes, byte* signals);

    /// <summary>posix_spawnattr_setsigmask(3).</summary>
    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigmask")]
    internal static partial int SpawnAttrSetSigMask(byte* attributes, byte* signals);

    /// <summary>posix_spawn_file_actions_init(3).</summary>
    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_init")]
    internal static partial int SpawnActionsInit(byte* actions);

    /// <summary>posix_spawn_file_actions_destroy(3).</summary>
    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_destroy")]
    internal static partial int SpawnActionsDestroy(byte* actions);

    /// <summary>posix_spawn_file_actions_addopen(3).</summary>
    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_addopen", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int SpawnActionsAddOpen(byte* actions, int descriptor, string path, int flags, uint mode);

    /// <summary>posix_spawn_file_actions_adddup2(3).</summary>
    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_adddup2")]
    internal static partial int SpawnActionsAddDup2(byte* actions, int from, int to);

    /// <summary>posix_spawn_file_actions_addclosefrom_np(3), glibc 2.34.</summary>
    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_addclosefrom_np")]
    internal static partial int SpawnActionsAddCloseFrom(byte* actions, int from);

    /// <summary>posix_spawn(3), looked up ahead: the thread that calls it may no longer be allowed to open library files.</summary>
    internal static readonly delegate* unmanaged<int*, byte*, byte*, byte*, byte**, byte**, int> PosixSpawn =
        (delegate* unmanaged<int*, byte*, byte*, byte*, byte**, byte**, int>)NativeLibrary.GetExport(NativeLibrary.Load("libc.so.6"), "posix_spawn");
}
