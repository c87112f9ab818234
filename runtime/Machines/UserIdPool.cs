namespace Vks.Runtime.Machines;

/// <summary>Hands out host user ids, one per machine, so that one QEMU can touch nothing of another.</summary>
internal sealed class UserIdPool
{
    /// <summary>How many ids there are.</summary>
    internal const int Size = 65536;

    private readonly Lock _lock = new();
    private readonly HashSet<uint> _taken = [];
    private readonly uint _first;
    private uint _next;

    /// <summary>All ids are free.</summary>
    internal UserIdPool(uint first) => _first = _next = first;

    /// <summary>An id nobody has. Goes round, so that an id just released is not taken again at once.</summary>
    /// <returns>The id, or null when all are taken.</returns>
    internal uint? TryTake()
    {
        lock (_lock)
        {
            for (int tried = 0; tried < Size; tried++)
            {
                uint candidate = _next;
                _next = candidate + 1 == _first + Size ? _first : candidate + 1;
                if (_taken.Add(candidate))
                {
                    return candidate;
                }
            }

            return null;
        }
    }

    /// <summary>Takes a known id, of an adopted machine.</summary>
    internal bool TryTake(uint id)
    {
        lock (_lock)
        {
            return _taken.Add(id);
        }
    }

    /// <summary>Gives an id back.</summary>
    internal void Release(uint id)
    {
        lock (_lock)
        {
            _taken.Remove(id);
        }
    }
}
