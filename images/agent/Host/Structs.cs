using System.Runtime.InteropServices;

namespace Vks.Agent.Host;

/// <summary>struct timespec of x86-64.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Timespec
{
    public long Seconds;
    public long Nanoseconds;
}

/// <summary>struct timex of x86-64, adjtimex(2); 208 bytes, of which these are used.</summary>
[StructLayout(LayoutKind.Explicit, Size = 208)]
internal struct TimeChange
{
    [FieldOffset(0)]
    public uint Modes;

    [FieldOffset(8)]
    public long Offset;

    [FieldOffset(72)]
    public long Seconds;

    [FieldOffset(80)]
    public long Microseconds;
}

/// <summary>struct pollfd, poll(2).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PollFd
{
    public int Fd;
    public short Events;
    public short Returned;
}

/// <summary>struct epoll_event, packed on x86-64.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
internal struct EpollEvent
{
    public uint Events;
    public ulong Data;
}

/// <summary>struct iovec, readv(2).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct IoVector
{
    public byte* Base;
    public nuint Length;
}

/// <summary>struct msghdr, recvmsg(2).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct MessageHeader
{
    public void* Name;
    public uint NameLength;
    public IoVector* Vectors;
    public nuint VectorCount;
    public void* Control;
    public nuint ControlLength;
    public int Flags;
}

/// <summary>struct open_how, openat2(2), Linux 5.6.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct OpenHow
{
    public ulong Flags;
    public ulong Mode;
    public ulong Resolve;
}

/// <summary>struct stat of x86-64, stat(2); 144 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 144)]
internal struct Stat
{
    public ulong Device;
    public ulong Inode;
    public ulong Links;
    public uint Mode;
    public uint Uid;
    public uint Gid;
    private readonly int _padding;
    public ulong DeviceNumber;
    public long Size;
    public long BlockSize;
    public long Blocks;
}
