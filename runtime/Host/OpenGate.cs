using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Tmds.Linux;

namespace Vks.Runtime.Host;

/// <summary>A file that a child gets for reading only although it opens it for writing, under a number known beforehand.</summary>
/// <param name="Path">What the child opens with O_RDWR; need not exist.</param>
/// <param name="File">Open for reading; the caller keeps its own copy.</param>
/// <param name="Number">The descriptor's number in the child, 3 to 63, free until then.</param>
internal sealed record ReadOnlyStandIn(string Path, SafeHandle File, int Number);

/// <summary>Gives a child a <see cref="ReadOnlyStandIn"/>, by seccomp(2) filter and its supervisor's descriptor (Linux 5.14).</summary>
/// <remarks>
/// The filter is the child's for life and lets everything pass but two things. An open of exactly the kind that is waited for is asked of us,
/// once: we answer with the descriptor. And fallocate(2) on that descriptor succeeds without doing anything: QEMU gives memory back by a hole
/// in the file and then by madvise(2); the hole must not be, the madvise must.
/// </remarks>
internal sealed unsafe class OpenGate
{
    private const uint ArchX64 = 0xc000003e; // AUDIT_ARCH_X86_64
    private const uint CallOpenAt = 257, CallFallocate = 285, CallSeccomp = 317; // x86-64
    private const uint ReturnAllow = 0x7fff0000, ReturnAsk = 0x7fc00000, ReturnSuccess = 0x00050000; // SECCOMP_RET_ERRNO with 0
    private const int OffsetCall = 0, OffsetArch = 4, OffsetArgument0 = 16, OffsetArgument2 = 32; // struct seccomp_data
    private const ushort Load = 0x20, JumpIfEqual = 0x15, Return = 0x06; // BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
    private const ulong Receive = 0xc0502100, Send = 0xc0182101, AddDescriptor = 0x40182103; // ioctls of seccomp_unotify(2)
    private const int QuestionBytes = 80, AnswerBytes = 24;

    private readonly ReadOnlyStandIn _standIn;
    private readonly SafeFileHandle _listener;
    private readonly Poller.Registration _asked;

    private OpenGate(ReadOnlyStandIn standIn, SafeFileHandle listener)
    {
        _standIn = standIn;
        _listener = listener;
        _asked = Poller.Shared.Register(listener, LibC.EPOLLIN, _ => Answer());
    }

    /// <summary>This processor's calls are known here.</summary>
    internal static bool IsSupported => RuntimeInformation.ProcessArchitecture == Architecture.X64;

    /// <summary>Puts the filter on the calling thread; what it starts inherits it. The thread must have given up new privileges.</summary>
    /// <exception cref="HostException">The kernel has no such filters.</exception>
    internal static SafeFileHandle Install(ReadOnlyStandIn standIn)
    {
        ReadOnlySpan<SocketFilter> program =
        [
            new(Load, 0, 0, OffsetArch),
            new(JumpIfEqual, 0, 9, ArchX64),
            new(Load, 0, 0, OffsetCall),
            new(JumpIfEqual, 0, 3, CallFallocate),
            new(Load, 0, 0, OffsetArgument0),
            new(JumpIfEqual, 0, 5, (uint)standIn.Number),
            new(Return, 0, 0, ReturnSuccess),
            new(JumpIfEqual, 0, 3, CallOpenAt),
            new(Load, 0, 0, OffsetArgument2),
            new(JumpIfEqual, 0, 1, (uint)LibC.O_RDWR),
            new(Return, 0, 0, ReturnAsk),
            new(Return, 0, 0, ReturnAllow),
        ];
        fixed (SocketFilter* filters = program)
        {
            SocketProgram whole = new() { Length = (ushort)program.Length, Filters = filters };
            const int SetModeFilter = 1, NewListener = 8;
            int listener = Native.Check((int)(long)LibC.syscall((int)CallSeccomp, SetModeFilter, NewListener, &whole), "seccomp", standIn.Path);
            return new SafeFileHandle(listener, ownsHandle: true);
        }
    }

    /// <summary>Answers the child's question when it comes.</summary>
    /// <param name="standIn">What it is to get.</param>
    /// <param name="listener">From <see cref="Install"/>; owned from here on.</param>
    internal static void Attend(ReadOnlyStandIn standIn, SafeFileHandle listener) => _ = new OpenGate(standIn, listener);

    private void Answer()
    {
        // Asked again, since the loop does not tell a question from the child's end, and receiving would wait for ever then. A question may
        // also be gone by now: a signal withdraws it, and the child asks again after that.
        pollfd waiting = new() { fd = _asked.Descriptor, events = LibC.POLLIN };
        if (LibC.poll(&waiting, 1, 0) != 1 || (waiting.revents & LibC.POLLIN) == 0)
        {
            const int Gone = 0x38; // POLLERR, POLLHUP, POLLNVAL
            if ((waiting.revents & Gone) != 0)
            {
                Close();
            }

            return;
        }

        byte* question = stackalloc byte[QuestionBytes];
        new Span<byte>(question, QuestionBytes).Clear();
        if (NativeMethods.IoCtl(_asked.Descriptor, Receive, question) != 0)
        {
            return; // Whoever asked was interrupted and asks again, or has been killed, which comes as an event of its own.
        }

        ulong id = *(ulong*)question;
        if (!IsExpected(*(int*)(question + 8), *(ulong*)(question + 40)))
        {
            const uint Continue = 1; // SECCOMP_USER_NOTIF_FLAG_CONTINUE
            Reply(id, error: 0, Continue);
        }
        else if (Hand(id) is { } errno)
        {
            // Withdrawn by a signal, and asked again soon; whatever else it is, the child's open fails with it, and the child says so.
            if (errno != LibC.ENOENT)
            {
                Reply(id, errno, flags: 0);
                Close();
            }
        }
        else
        {
            Close();
        }
    }

    private void Reply(ulong id, int error, uint flags)
    {
        byte* answer = stackalloc byte[AnswerBytes];
        (*(ulong*)answer, *(long*)(answer + 8), *(int*)(answer + 16), *(uint*)(answer + 20)) = (id, 0, -error, flags);
        _ = Ask(Send, answer);
    }

    /// <summary>ioctl(2), again when a signal of our own ended it; 0 or the error.</summary>
    private int Ask(ulong request, void* argument)
    {
        while (true)
        {
            int errno = NativeMethods.IoCtl(_asked.Descriptor, request, argument) == 0 ? 0 : Marshal.GetLastPInvokeError();
            if (errno != LibC.EINTR)
            {
                return errno;
            }
        }
    }

    /// <summary>Gives the child its descriptor; the error if that cannot be.</summary>
    private int? Hand(ulong id)
    {
        const uint SetNumber = 1, AndSend = 2; // SECCOMP_ADDFD_FLAG_*
        const uint CloseOnExec = 0x80000;
        bool referenced = false;
        try
        {
            _standIn.File.DangerousAddRef(ref referenced);
            byte* descriptor = stackalloc byte[AnswerBytes];
            *(ulong*)descriptor = id;
            *(uint*)(descriptor + 8) = SetNumber | AndSend;
            *(uint*)(descriptor + 12) = (uint)_standIn.File.DangerousGetHandle();
            *(uint*)(descriptor + 16) = (uint)_standIn.Number;
            *(uint*)(descriptor + 20) = CloseOnExec;
            int errno = Ask(AddDescriptor, descriptor);
            return errno == 0 ? null : errno;
        }
        catch (ObjectDisposedException)
        {
            return LibC.EBADF; // Nobody wants that child any more.
        }
        finally
        {
            if (referenced)
            {
                _standIn.File.DangerousRelease();
            }
        }
    }

    // The child waits for our answer, so its memory does not change under us.
    private bool IsExpected(int pid, ulong address)
    {
        Span<byte> text = stackalloc byte[256];
        try
        {
            using SafeFileHandle memory = File.OpenHandle($"/proc/{pid}/mem", FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            int count = RandomAccess.Read(memory, text, (long)address);
            int end = text[..count].IndexOf((byte)0);
            return end >= 0 && Encoding.UTF8.GetString(text[..end]) == _standIn.Path;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private void Close()
    {
        _asked.Dispose();
        _listener.Dispose();
    }

    /// <summary>struct sock_filter.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct SocketFilter(ushort Code, byte IfTrue, byte IfFalse, uint Value);

    /// <summary>struct sock_fprog.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct SocketProgram
    {
        internal ushort Length;
        internal SocketFilter* Filters;
    }
}
