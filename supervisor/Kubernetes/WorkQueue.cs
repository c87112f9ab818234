using System.Threading.Channels;

namespace Vks.Supervisor.Kubernetes;

/// <summary>
/// Keys of objects that somebody should look at. A key waits once, however often it is added; it is never given to two workers at once; one that
/// is added while a worker has it is given again afterwards.
/// </summary>
internal sealed class WorkQueue(TimeProvider time) : IDisposable
{
    private static readonly TimeSpan s_firstRetry = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_longestRetry = TimeSpan.FromSeconds(30);

    private readonly Channel<ObjectKey> _ready = Channel.CreateUnbounded<ObjectKey>();
    private readonly Lock _lock = new();
    private readonly HashSet<ObjectKey> _waiting = [];
    private readonly HashSet<ObjectKey> _busy = [];
    private readonly HashSet<ObjectKey> _again = [];
    private readonly Dictionary<ObjectKey, int> _failures = [];
    private readonly Dictionary<ObjectKey, (ITimer Timer, DateTimeOffset Due)> _later = [];

    /// <summary>Asks for a look as soon as a worker is free.</summary>
    public void Add(ObjectKey key)
    {
        lock (_lock)
        {
            if (_busy.Contains(key))
            {
                _again.Add(key);
            }
            else if (_waiting.Add(key))
            {
                _ready.Writer.TryWrite(key);
            }
        }
    }

    /// <summary>Asks for a look after a time. Of several such wishes for one key the earliest counts.</summary>
    public void AddAfter(ObjectKey key, TimeSpan delay)
    {
        lock (_lock)
        {
            DateTimeOffset due = time.GetUtcNow() + delay;
            if (_later.TryGetValue(key, out (ITimer Timer, DateTimeOffset Due) planned))
            {
                if (planned.Due <= due)
                {
                    return;
                }

                planned.Timer.Dispose();
            }

            _later[key] = (time.CreateTimer(_ => Due(key), null, delay, Timeout.InfiniteTimeSpan), due);
        }
    }

    /// <summary>Asks for another look after a failure, each time after twice the time, from 0.1 s up to 30 s.</summary>
    public TimeSpan Retry(ObjectKey key)
    {
        int failures;
        lock (_lock)
        {
            failures = _failures[key] = _failures.GetValueOrDefault(key) + 1;
        }

        TimeSpan delay = s_firstRetry * Math.Pow(2, Math.Min(failures - 1, 20));
        delay = delay > s_longestRetry ? s_longestRetry : delay;
        AddAfter(key, delay);
        return delay;
    }

    /// <summary>The next failure of this key is its first.</summary>
    public void Forget(ObjectKey key)
    {
        lock (_lock)
        {
            _failures.Remove(key);
        }
    }

    /// <summary>Waits for a key. Whoever takes it says <see cref="Done"/> afterwards.</summary>
    public async ValueTask<ObjectKey> TakeAsync(CancellationToken cancellationToken)
    {
        ObjectKey key = await _ready.Reader.ReadAsync(cancellationToken);
        lock (_lock)
        {
            _waiting.Remove(key);
            _busy.Add(key);
        }

        return key;
    }

    /// <summary>The key may be given to another worker.</summary>
    public void Done(ObjectKey key)
    {
        lock (_lock)
        {
            _busy.Remove(key);
            if (_again.Remove(key) && _waiting.Add(key))
            {
                _ready.Writer.TryWrite(key);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            foreach ((ITimer timer, _) in _later.Values)
            {
                timer.Dispose();
            }

            _later.Clear();
        }
    }

    private void Due(ObjectKey key)
    {
        lock (_lock)
        {
            if (_later.Remove(key, out (ITimer Timer, DateTimeOffset Due) planned))
            {
                planned.Timer.Dispose();
            }
        }

        Add(key);
    }
}
