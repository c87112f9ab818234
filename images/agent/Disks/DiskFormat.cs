using System.Buffers.Binary;
using Vks.Agent.Channel;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Disks;

/// <summary>Which file system an image disk holds. Looked at before mounting: a wrong try leaves an error on the console.</summary>
internal static class DiskFormat
{
    private const int ErofsSuperblockOffset = 1024;
    private const uint ErofsMagic = 0xE0F5E1E2;

    /// <summary>Bytes of a disk's beginning that tell it.</summary>
    internal const int HeadBytes = ErofsSuperblockOffset + sizeof(uint);

    /// <summary>Reads a disk's beginning and gives the name for mount(2).</summary>
    /// <exception cref="AgentException">InvalidRequest: it is neither; Failed: it cannot be read.</exception>
    internal static string OfDisk(string path)
    {
        var head = new byte[HeadBytes];
        int length;
        try
        {
            using FileStream disk = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
            length = disk.ReadAtLeast(head, HeadBytes, throwOnEndOfStream: false);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new AgentException(GuestFault.Failed, $"Reading the beginning of {path}: {exception.Message}", exception);
        }

        return Of(head.AsSpan(0, length))
            ?? throw new AgentException(GuestFault.InvalidRequest, $"The disk {path} holds neither squashfs nor EROFS; image disks are one of these.");
    }

    /// <summary>The name for mount(2), or null for neither.</summary>
    internal static string? Of(ReadOnlySpan<byte> head) =>
        head.StartsWith("hsqs"u8) ? "squashfs"
        : head.Length >= HeadBytes && BinaryPrimitives.ReadUInt32LittleEndian(head[ErofsSuperblockOffset..]) == ErofsMagic ? "erofs"
        : null;
}
