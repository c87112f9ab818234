using Microsoft.Win32.SafeHandles;

namespace Vks.Runtime.Templates;

/// <summary>A guest that stands still, as it is to be kept.</summary>
/// <param name="Memory">Its memory, which nobody writes to any more.</param>
/// <param name="State">Its devices' state.</param>
/// <param name="Scratch">What is on its scratch disk, which it has mounted; empty without one.</param>
internal sealed record GuestImage(SafeFileHandle Memory, SafeFileHandle State, IReadOnlyList<DiskBlock> Scratch);

/// <summary>A part of a disk that is not zero.</summary>
/// <param name="Offset">Where it begins, in bytes.</param>
/// <param name="Bytes">What is there.</param>
internal sealed record DiskBlock(long Offset, byte[] Bytes);
