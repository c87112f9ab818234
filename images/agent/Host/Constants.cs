namespace Vks.Agent.Host;

/// <summary>Numbers of the Linux x86-64 ABI. Kept as constants so that the linker folds them.</summary>
internal static class Constants
{
    internal const ulong MsReadOnly = 1, MsNoSuid = 2, MsNoDev = 4, MsNoExec = 8, MsRemount = 32, MsBind = 4096, MsMove = 8192;
    internal const ulong MsRecursive = 16384, MsPrivate = 1 << 18, MsRelatime = 1 << 21;
    internal const int UmountDetach = 2;

    internal const int OpenReadOnly = 0, OpenWriteOnly = 1, OpenReadWrite = 2, OpenNonBlocking = 0x800, OpenCloseOnExec = 0x80000, OpenNoControllingTerminal = 0x100;
    internal const int OpenDirectory = 0x10000, OpenPath = 0x200000;

    internal const int Interrupted = 4, NoSuchProcess = 3, NoChild = 10, TryAgain = 11, Exists = 17, NoEntry = 2, Busy = 16, InProgress = 115;
    internal const int InputOutput = 5, NotDirectory = 20, Invalid = 22, NoSpace = 28, NoMemory = 12, NoBuffers = 105;

    internal const uint EpollIn = 1, EpollOut = 4, EpollError = 8, EpollHangUp = 16, EpollReadHangUp = 0x2000, EpollEdge = 1u << 31;
    internal const int EpollAdd = 1, EpollDelete = 2;
    internal const short PollIn = 1, PollHangUp = 16;

    internal const int FamilyUnix = 1, FamilyInet = 2, FamilyInet6 = 10, FamilyNetlink = 16, FamilyVsock = 40;
    internal const int SocketStream = 1, SocketDatagram = 2, SocketRaw = 3, SocketNonBlocking = 0x800, SocketCloseOnExec = 0x80000;
    internal const int NetlinkRoute = 0, NetlinkUevent = 15;
    internal const int SocketLevel = 1, SocketError = 4, ShutdownWrite = 1;

    internal const int SigKill = 9, SigTerm = 15;
    internal const uint AdjustSetOffset = 0x0100, AdjustSingleShot = 0x8001;
    internal const int ClockRealtime = 0, ClockBoottime = 7;
    internal const uint RebootRestart = 0x01234567, RebootPowerOff = 0x4321fedc;
    internal const nuint AddEntropy = 0x40085203, SetWindowSize = 0x5414;
    internal const int CloneNewPid = 0x20000000;
    internal const uint InotifyModify = 2;
}
