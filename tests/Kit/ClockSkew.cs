using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Vks.Tests.Kit;

/// <summary>
/// Sets the time of day of processes that run, as if somebody had set their host's clock; the clocks that only count (CLOCK_MONOTONIC, CLOCK_BOOTTIME) go on as they did.
/// This machine's clock is not touched, and no other process sees anything.
/// </summary>
/// <remarks>
/// <para>Programs ask for the time by <c>clock_gettime</c> of the vDSO, which each has in its own memory: .NET by the C library, Go directly (so a library that is loaded
/// before others does not reach it). The first bytes of the function are replaced, in each process alone, by ones that ask the kernel and add seconds to
/// CLOCK_REALTIME:</para>
/// <code>
/// mov eax, 228        clock_gettime
/// syscall
/// test edi, edi       0: CLOCK_REALTIME
/// jne end
/// add qword [rsi], N
/// end: ret
/// </code>
/// <para>Not set: times of files, which the kernel writes, and programs that are started later.</para>
/// </remarks>
internal static class ClockSkew
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    /// <summary>Sets the time of day of a process group; a process of it that comes or goes meanwhile is left out.</summary>
    /// <param name="group">The group's number.</param>
    /// <param name="skew">How far from the true time, whole seconds, at most some decades; zero puts it right.</param>
    /// <returns>The processes that were set.</returns>
    public static async Task<IReadOnlyList<int>> SetAsync(int group, TimeSpan skew)
    {
        Assert.Equal(Architecture.X64, RuntimeInformation.ProcessArchitecture);
        List<int> done = [];
        foreach (int pid in Group(group))
        {
            try
            {
                await SetOneAsync(pid, checked((int)skew.TotalSeconds));
                done.Add(pid);
            }
            catch (Exception gone) when (gone is IOException or UnauthorizedAccessException && !Directory.Exists($"/proc/{pid}"))
            {
                // A helper of a moment.
            }
        }

        return done;
    }

    private static async Task SetOneAsync(int pid, int seconds)
    {
        (ulong begin, ulong end) = Vdso(pid);
        await using FileStream memory = new($"/proc/{pid}/mem", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
        byte[] image = new byte[end - begin];
        memory.Seek((long)begin, SeekOrigin.Begin);
        await memory.ReadExactlyAsync(image);
        ulong function = begin + Symbol(image, "__vdso_clock_gettime");
        byte[] code = [0xb8, 228, 0, 0, 0, 0x0f, 0x05, 0x85, 0xff, 0x75, 0x07, 0x48, 0x81, 0x06, 0, 0, 0, 0, 0xc3];
        BinaryPrimitives.WriteInt32LittleEndian(code.AsSpan(14), seconds);
        long deadline = Environment.TickCount64 + (long)s_limit.TotalMilliseconds;
        while (true)
        {
            Assert.Equal(0, Tmds.Linux.LibC.kill(pid, Tmds.Linux.LibC.SIGSTOP));
            try
            {
                // Nobody may be within what is replaced.
                if (await StandsAsync(pid, function, function + (ulong)code.Length))
                {
                    memory.Seek((long)function, SeekOrigin.Begin);
                    await memory.WriteAsync(code);
                    return;
                }
            }
            finally
            {
                _ = Tmds.Linux.LibC.kill(pid, Tmds.Linux.LibC.SIGCONT);
            }

            Assert.True(Environment.TickCount64 < deadline, $"process {pid} could not be stopped outside of clock_gettime");
            await Task.Delay(TimeSpan.FromMilliseconds(5));
        }
    }

    /// <summary>Waits until all threads stand still; whether all of them do outside of a range.</summary>
    private static async Task<bool> StandsAsync(int pid, ulong from, ulong to)
    {
        for (var tries = 0; tries < 200; tries++)
        {
            string[] threads = [.. Directory.GetDirectories($"/proc/{pid}/task")];
            if (threads.All(static thread => State(thread) is "T" or "t"))
            {
                return threads.All(thread =>
                {
                    // proc(5): the last word is the program counter; of a thread that runs there is none.
                    string[] words = File.ReadAllText(thread + "/syscall").Split(' ');
                    return words.Length > 1 && Hex(words[^1].Trim()[2..]) is var at && (at < from || at >= to);
                });
            }

            await Task.Delay(TimeSpan.FromMilliseconds(5));
        }

        return false;
    }

    // proc(5): the name may hold blanks and brackets; what follows its end may not.
    private static string State(string folder) => AfterName(folder)[0];

    private static string[] AfterName(string folder)
    {
        string stat = File.ReadAllText(folder + "/stat");
        return stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
    }

    private static List<int> Group(int group)
    {
        List<int> found = [];
        foreach (string folder in Directory.GetDirectories("/proc").Where(static folder => char.IsAsciiDigit(Path.GetFileName(folder)[0])))
        {
            try
            {
                if (AfterName(folder)[2] == group.ToString(CultureInfo.InvariantCulture) && File.ReadAllText(folder + "/maps").Contains("[vdso]", StringComparison.Ordinal))
                {
                    found.Add(int.Parse(Path.GetFileName(folder), CultureInfo.InvariantCulture));
                }
            }
            catch (IOException)
            {
                // It ended while we looked.
            }
        }

        return found;
    }

    private static (ulong Begin, ulong End) Vdso(int pid)
    {
        string line = File.ReadLines($"/proc/{pid}/maps").FirstOrDefault(static line => line.EndsWith("[vdso]", StringComparison.Ordinal))
            ?? throw new IOException($"process {pid} has no vDSO, or has ended");
        string[] range = line.Split(' ')[0].Split('-');
        return (Hex(range[0]), Hex(range[1]));
    }

    /// <summary>Where a function is in an ELF image that has a hash table of its symbols (elf(5)).</summary>
    private static ulong Symbol(ReadOnlySpan<byte> image, string name)
    {
        (ulong symbols, ulong strings, ulong hash) = (0, 0, 0);
        ulong headers = BinaryPrimitives.ReadUInt64LittleEndian(image[0x20..]);
        int count = BinaryPrimitives.ReadUInt16LittleEndian(image[0x38..]);
        for (var header = (int)headers; header < (int)headers + (56 * count); header += 56)
        {
            if (BinaryPrimitives.ReadUInt32LittleEndian(image[header..]) != 2)
            {
                continue;
            }

            // PT_DYNAMIC: pairs of tag and value, until the tag 0.
            for (var entry = (int)BinaryPrimitives.ReadUInt64LittleEndian(image[(header + 8)..]); BinaryPrimitives.ReadUInt64LittleEndian(image[entry..]) != 0; entry += 16)
            {
                ulong value = BinaryPrimitives.ReadUInt64LittleEndian(image[(entry + 8)..]);
                switch (BinaryPrimitives.ReadUInt64LittleEndian(image[entry..]))
                {
                    case 4:
                        hash = value;
                        break;
                    case 5:
                        strings = value;
                        break;
                    case 6:
                        symbols = value;
                        break;
                }
            }
        }

        // DT_HASH: its second word is the number of symbols.
        uint known = BinaryPrimitives.ReadUInt32LittleEndian(image[((int)hash + 4)..]);
        for (var index = 0; index < known; index++)
        {
            ReadOnlySpan<byte> symbol = image[((int)symbols + (24 * index))..];
            ReadOnlySpan<byte> text = image[((int)strings + (int)BinaryPrimitives.ReadUInt32LittleEndian(symbol))..];
            if (Encoding.ASCII.GetString(text[..text.IndexOf((byte)0)]) == name)
            {
                return BinaryPrimitives.ReadUInt64LittleEndian(symbol[8..]);
            }
        }

        throw new InvalidDataException($"the vDSO has no {name}");
    }

    private static ulong Hex(string text) => ulong.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
