using System.Runtime.InteropServices;

namespace Vks.Runtime.Qmp;

/// <summary>Sends bytes and, with the first of them, an open descriptor. The sender keeps its own copy.</summary>
internal delegate ValueTask SendWithDescriptor(ReadOnlyMemory<byte> bytes, SafeHandle descriptor, CancellationToken cancellationToken);

/// <summary>A byte stream to QEMU's monitor, owned by the connection from then on.</summary>
/// <param name="Stream">Both directions; closed with the connection.</param>
/// <param name="SendWithDescriptor">Present when the stream is a unix socket: passes descriptors.</param>
internal sealed record QmpTransport(Stream Stream, SendWithDescriptor? SendWithDescriptor = null);
