using System.Buffers;
using System.Buffers.Text;
using System.Net.WebSockets;

namespace Vks.Spherelet.Streaming;

/// <summary>Messages with a channel number in front, in binary or as text with base64. One task receives, many may send.</summary>
internal sealed class WebSocketChannels : IAsyncDisposable
{
    /// <summary>The channel that ends others: its message is their number (version 5).</summary>
    public const int CloseChannel = 255;

    /// <summary>Most bytes of a message that has to be whole to be understood, such as base64.</summary>
    private const int MaxWholeBytes = 1024 * 1024;

    private const int ReceiveBytes = 32 * 1024;

    private readonly WebSocket _socket;
    private readonly bool _base64;
    private readonly Action _activity;
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly CancellationTokenSource _gone = new();
    private Task _receiving = Task.CompletedTask;

    /// <param name="socket">Stays the caller's.</param>
    /// <param name="base64">Messages are text.</param>
    /// <param name="activity">Called for every message in either direction.</param>
    public WebSocketChannels(WebSocket socket, bool base64, Action activity)
    {
        (_socket, _base64, _activity) = (socket, base64, activity);
        Gone = _gone.Token;
    }

    /// <summary>Takes bytes of a channel; the reading waits for it.</summary>
    /// <param name="channel">0 to 255.</param>
    /// <param name="bytes">Good until it completes.</param>
    /// <param name="isFirst">A message begins with them.</param>
    /// <param name="isLast">A message ends with them.</param>
    internal delegate ValueTask Receiver(int channel, ReadOnlyMemory<byte> bytes, bool isFirst, bool isLast);

    /// <summary>Fires once the client is gone or has closed.</summary>
    public CancellationToken Gone { get; }

    /// <summary>Starts reading.</summary>
    public void Start(Receiver receive) => _receiving = ReceiveAsync(receive);

    /// <summary>Sends one message.</summary>
    /// <exception cref="IOException">The client is gone.</exception>
    public async ValueTask SendAsync(int channel, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        byte[] message = ArrayPool<byte>.Shared.Rent(1 + Base64.GetMaxEncodedToUtf8Length(bytes.Length));
        await _sending.WaitAsync(cancellationToken);
        try
        {
            int length = _base64 ? WriteText(channel, bytes.Span, message) : WriteBinary(channel, bytes.Span, message);
            await _socket.SendAsync(
                message.AsMemory(0, length), _base64 ? WebSocketMessageType.Text : WebSocketMessageType.Binary, endOfMessage: true, Gone);
        }
        catch (Exception cause)
        {
            // A message that was cut makes the rest worthless, whatever cut it.
            await LoseAsync();
            throw new IOException("The client has closed the connection.", cause);
        }
        finally
        {
            _sending.Release();
            ArrayPool<byte>.Shared.Return(message);
        }

        _activity();
    }

    /// <summary>Closes in order and gives the client time to do so too.</summary>
    public async Task CloseAsync(TimeSpan linger, TimeProvider time, CancellationToken cancellationToken)
    {
        await _sending.WaitAsync(cancellationToken);
        try
        {
            await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, Gone);
        }
        catch (Exception cause) when (cause is WebSocketException or IOException or OperationCanceledException or ObjectDisposedException)
        {
            // It hung up first.
            return;
        }
        finally
        {
            _sending.Release();
        }

        await Task.WhenAny(_receiving, Task.Delay(linger, time, Gone));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await LoseAsync();
        await _receiving;
        _gone.Dispose();
    }

    private async Task ReceiveAsync(Receiver receive)
    {
        await Task.Yield();
        var buffer = new byte[ReceiveBytes];
        try
        {
            while (await ReceiveMessageAsync(buffer, receive))
            {
                _activity();
            }
        }
        catch (Exception cause) when (cause is WebSocketException or IOException or OperationCanceledException or ObjectDisposedException or InvalidDataException)
        {
            // The client is gone, or sends what has no meaning.
        }
        finally
        {
            await LoseAsync();
        }
    }

    private async ValueTask<bool> ReceiveMessageAsync(byte[] buffer, Receiver receive)
    {
        using var whole = _base64 ? new MemoryStream() : null;
        var channel = 0;
        var first = true;
        while (true)
        {
            ValueWebSocketReceiveResult got = await _socket.ReceiveAsync(buffer.AsMemory(), Gone);
            if (got.MessageType == WebSocketMessageType.Close)
            {
                return false;
            }

            ReadOnlyMemory<byte> bytes = buffer.AsMemory(0, got.Count);
            if (whole is not null)
            {
                whole.Write(bytes.Span);
                if (whole.Length > MaxWholeBytes)
                {
                    throw new InvalidDataException($"A message is larger than {MaxWholeBytes} bytes.");
                }

                if (got.EndOfMessage && whole.Length > 0)
                {
                    (channel, byte[] decoded) = ReadText(whole.ToArray());
                    await receive(channel, decoded, isFirst: true, isLast: true);
                }
            }
            else if (!bytes.IsEmpty || got.EndOfMessage)
            {
                bool begins = first && !bytes.IsEmpty;
                if (begins)
                {
                    (channel, first) = (bytes.Span[0], false);
                    bytes = bytes[1..];
                }

                if (!first)
                {
                    await receive(channel, bytes, begins, got.EndOfMessage);
                }
            }

            if (got.EndOfMessage)
            {
                return true;
            }
        }
    }

    private static (int Channel, byte[] Bytes) ReadText(byte[] message)
    {
        int channel = message[0] - '0';
        var decoded = new byte[Base64.GetMaxDecodedFromUtf8Length(message.Length)];
        return channel is >= 0 and <= 9
            && Base64.DecodeFromUtf8(message.AsSpan(1), decoded, out _, out int length) == OperationStatus.Done
            ? (channel, decoded[..length])
            : throw new InvalidDataException("A message is not a digit and base64.");
    }

    private static int WriteText(int channel, ReadOnlySpan<byte> bytes, byte[] message)
    {
        message[0] = (byte)('0' + channel);
        Base64.EncodeToUtf8(bytes, message.AsSpan(1), out _, out int length);
        return 1 + length;
    }

    private static int WriteBinary(int channel, ReadOnlySpan<byte> bytes, byte[] message)
    {
        message[0] = (byte)channel;
        bytes.CopyTo(message.AsSpan(1));
        return 1 + bytes.Length;
    }

    private async Task LoseAsync()
    {
        try
        {
            await _gone.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // Disposed before: it is gone for long.
        }
    }
}
