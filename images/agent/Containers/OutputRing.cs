using Vks.Agent.Host;

namespace Vks.Agent.Containers;

/// <summary>The last unacknowledged bytes of one output stream, addressed by their offset since the stream began.</summary>
/// <remarks>
/// The writer waits while the ring is full, so no byte is lost; what the host acknowledged is forgotten. One writer, one reader.
/// </remarks>
internal sealed class OutputRing(int capacity = OutputRing.DefaultCapacity)
{
    /// <summary>256 KiB.</summary>
    internal const int DefaultCapacity = 256 * 1024;

    private readonly Lock _lock = new();
    private readonly AsyncSignal _space = new();
    private readonly AsyncSignal _news = new();
    private byte[] _buffer = new byte[Math.Min(capacity, 4096)];
    private long _start;
    private long _end;
    private bool _completed;

    /// <summary>Offset of the first byte that is kept.</summary>
    internal long Start
    {
        get
        {
            lock (_lock)
            {
                return _start;
            }
        }
    }

    /// <summary>Offset after the last byte written.</summary>
    internal long End
    {
        get
        {
            lock (_lock)
            {
                return _end;
            }
        }
    }

    /// <summary>No more bytes will be written.</summary>
    internal bool IsCompleted
    {
        get
        {
            lock (_lock)
            {
                return _completed;
            }
        }
    }

    /// <summary>Writes what fits and gives how much that was.</summary>
    internal int TryWrite(ReadOnlySpan<byte> bytes)
    {
        int count;
        lock (_lock)
        {
            count = (int)Math.Min(bytes.Length, capacity - (_end - _start));
            Grow((int)(_end - _start) + count);
            for (var done = 0; done < count;)
            {
                var at = (int)((_end + done) % _buffer.Length);
                int piece = Math.Min(count - done, _buffer.Length - at);
                bytes.Slice(done, piece).CopyTo(_buffer.AsSpan(at));
                done += piece;
            }

            _end += count;
        }

        if (count > 0)
        {
            _news.Set();
        }

        return count;
    }

    /// <summary>Copies bytes from <paramref name="offset"/> on; 0 when there are none yet.</summary>
    internal int Read(long offset, Span<byte> destination)
    {
        lock (_lock)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(offset, _start);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, _end);
            var count = (int)Math.Min(destination.Length, _end - offset);
            for (var done = 0; done < count;)
            {
                var at = (int)((offset + done) % _buffer.Length);
                int piece = Math.Min(count - done, _buffer.Length - at);
                _buffer.AsSpan(at, piece).CopyTo(destination[done..]);
                done += piece;
            }

            return count;
        }
    }

    /// <summary>Forgets the bytes before <paramref name="offset"/>; false when it lies outside of what is kept.</summary>
    internal bool Release(long offset)
    {
        lock (_lock)
        {
            if (offset < _start || offset > _end)
            {
                return false;
            }

            _start = offset;
        }

        _space.Set();
        return true;
    }

    /// <summary>Marks the end of the stream.</summary>
    internal void Complete()
    {
        lock (_lock)
        {
            _completed = true;
        }

        _news.Set();
        _space.Set();
    }

    /// <summary>Waits until bytes may have been released.</summary>
    internal Task WaitForSpaceAsync(CancellationToken cancellationToken) => _space.WaitAsync(cancellationToken);

    /// <summary>Waits until bytes may have been written, or the end.</summary>
    internal Task WaitForNewsAsync(CancellationToken cancellationToken) => _news.WaitAsync(cancellationToken);

    /// <summary>Most containers write little: the buffer grows with what is kept. Positions are modulo the size, so bytes are laid out anew.</summary>
    private void Grow(int needed)
    {
        if (needed <= _buffer.Length)
        {
            return;
        }

        int size = _buffer.Length;
        while (size < needed)
        {
            size = Math.Min(size * 2, capacity);
        }

        var grown = new byte[size];
        for (long offset = _start; offset < _end; offset++)
        {
            grown[offset % size] = _buffer[offset % _buffer.Length];
        }

        _buffer = grown;
    }
}
