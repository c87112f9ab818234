using System.Buffers.Binary;
using System.Text;

namespace Vks.Bench.Arms;

/// <summary>
/// The smallest program for x86-64 Linux that does what both sides of a comparison need: it writes one text and then waits for ever.
/// As <c>/init</c> it marks the moment PID 1 runs; as an image's only file it keeps a sandbox of a container runtime alive.
/// </summary>
internal static class TinyProgram
{
    private const ulong LoadAddress = 0x400000;
    private const int HeaderBytes = 64 + 56; // Elf64_Ehdr and one Elf64_Phdr, elf(5)

    /// <summary>The program as a static ELF file.</summary>
    /// <param name="text">Written to standard output, once.</param>
    public static byte[] Build(string text)
    {
        byte[] message = Encoding.UTF8.GetBytes(text);
        byte[] code =
        [
            0xb8, 1, 0, 0, 0,                      // mov eax, 1 (write)
            0xbf, 1, 0, 0, 0,                      // mov edi, 1
            0x48, 0x8d, 0x35, 16, 0, 0, 0,         // lea rsi, [rip + 16]: the message
            0xba, .. Bytes(message.Length),        // mov edx, length
            0x0f, 0x05,                            // syscall
            0xb8, 34, 0, 0, 0,                     // mov eax, 34 (pause)
            0x0f, 0x05,                            // syscall
            0xeb, 0xf7,                            // back to the pause
            .. message,
        ];
        byte[] file = new byte[HeaderBytes + code.Length];
        WriteHeader(file);
        code.CopyTo(file, HeaderBytes);
        return file;
    }

    private static void WriteHeader(Span<byte> file)
    {
        ReadOnlySpan<byte> identity = [0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1];
        identity.CopyTo(file);
        BinaryPrimitives.WriteUInt16LittleEndian(file[16..], 2);                              // e_type: executable
        BinaryPrimitives.WriteUInt16LittleEndian(file[18..], 62);                             // e_machine: x86-64
        BinaryPrimitives.WriteUInt32LittleEndian(file[20..], 1);                              // e_version
        BinaryPrimitives.WriteUInt64LittleEndian(file[24..], LoadAddress + HeaderBytes);      // e_entry
        BinaryPrimitives.WriteUInt64LittleEndian(file[32..], 64);                             // e_phoff
        BinaryPrimitives.WriteUInt16LittleEndian(file[52..], 64);                             // e_ehsize
        BinaryPrimitives.WriteUInt16LittleEndian(file[54..], 56);                             // e_phentsize
        BinaryPrimitives.WriteUInt16LittleEndian(file[56..], 1);                              // e_phnum
        Span<byte> segment = file[64..];
        BinaryPrimitives.WriteUInt32LittleEndian(segment, 1);                                 // p_type: load
        BinaryPrimitives.WriteUInt32LittleEndian(segment[4..], 5);                            // p_flags: read, execute
        BinaryPrimitives.WriteUInt64LittleEndian(segment[16..], LoadAddress);                 // p_vaddr
        BinaryPrimitives.WriteUInt64LittleEndian(segment[24..], LoadAddress);                 // p_paddr
        BinaryPrimitives.WriteUInt64LittleEndian(segment[32..], (ulong)file.Length);          // p_filesz
        BinaryPrimitives.WriteUInt64LittleEndian(segment[40..], (ulong)file.Length);          // p_memsz
        BinaryPrimitives.WriteUInt64LittleEndian(segment[48..], 0x1000);                      // p_align
    }

    private static byte[] Bytes(int value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        return bytes;
    }
}
