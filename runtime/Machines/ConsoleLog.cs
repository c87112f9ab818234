using System.Runtime.CompilerServices;
using System.Text;
using System.Threading.Channels;

namespace Vks.Runtime.Machines;

/// <summary>The last lines of a guest's console, and those that listen for more. Bounded in lines and bytes, whatever the guest prints.</summary>
internal sealed class ConsoleLog
{
    internal const int MaxLines = 200;

    /// <summary>Longer lines are cut into pieces of this many bytes.</summary>
    internal const int MaxLineBytes = 1024;

    private readonly Lock _lock = new();
    private readonly Queue<string> _lines = new();
    private readonly List<Channel<string>> _listeners = [];
    private readonly byte[] _partial = new byte[MaxLineBytes];
    private int _partialBytes;
    private bool _complete;

    /// <summary>The kept lines, oldest first, at most <see cref="MaxLines"/>; the last may be unfinished.</summary>
    internal IReadOnlyList<string> Tail
    {
        get
        {
            lock (_lock)
            {
                return _partialBytes == 0 ? [.. _lines] : [.. _lines.Skip(_lines.Count - MaxLines + 1), Text()];
            }
        }
    }

    /// <summary>Adds what the console sent.</summary>
    internal void Append(ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            foreach (byte value in bytes)
            {
                if (value == (byte)'\n')
                {
                    EndLine();
                }
                else if (value != (byte)'\r')
                {
                    _partial[_partialBytes++] = value;
                    if (_partialBytes == MaxLineBytes)
                    {
                        EndLine();
                    }
                }
            }
        }
    }

    /// <summary>Nothing more will come: ends every listener.</summary>
    internal void Complete()
    {
        lock (_lock)
        {
            if (_partialBytes > 0)
            {
                EndLine();
            }

            _complete = true;
            _listeners.ForEach(listener => listener.Writer.TryComplete());
            _listeners.Clear();
        }
    }

    /// <summary>Lines from now on. A listener that falls more than 1024 lines behind loses the oldest.</summary>
    internal async IAsyncEnumerable<string> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Channel<string> channel = Channel.CreateBounded<string>(
            new BoundedChannelOptions(capacity: 1024) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });
        lock (_lock)
        {
            if (_complete)
            {
                yield break;
            }

            _listeners.Add(channel);
        }

        try
        {
            await foreach (string line in channel.Reader.ReadAllAsync(cancellationToken))
            {
                yield return line;
            }
        }
        finally
        {
            lock (_lock)
            {
                _listeners.Remove(channel);
            }
        }
    }

    private void EndLine()
    {
        string line = Text();
        _partialBytes = 0;
        _lines.Enqueue(line);
        if (_lines.Count > MaxLines)
        {
            _lines.Dequeue();
        }

        _listeners.ForEach(listener => listener.Writer.TryWrite(line));
    }

    private string Text() => Encoding.UTF8.GetString(_partial, 0, _partialBytes);
}
