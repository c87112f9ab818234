namespace Vks.Spherelet.Pods;

/// <summary>How many machines of one shape should stand ready, by when pods of that shape came. Not thread-safe.</summary>
/// <remarks>
/// A pool helps as long as no more pods come within the time of a refill than it holds. So it holds the most that came within such a time lately:
/// one for pods that come now and then, ten where ten are made at once, none for a shape nobody has asked for in a while.
/// </remarks>
/// <param name="horizon">How long an arrival counts.</param>
/// <param name="least">Held ready even when nobody has asked.</param>
internal sealed class PoolDemand(TimeSpan horizon, int least)
{
    /// <summary>Arrivals that are remembered; no pool is so large that more would change anything.</summary>
    internal const int MostArrivals = 1024;

    private readonly Queue<DateTimeOffset> _arrivals = new();

    /// <summary>A pod of the shape came.</summary>
    public void Arrive(DateTimeOffset now)
    {
        _arrivals.Enqueue(now);
        if (_arrivals.Count > MostArrivals)
        {
            _arrivals.Dequeue();
        }
    }

    /// <summary>How many should stand ready.</summary>
    /// <param name="now">The clock that arrivals were told by.</param>
    /// <param name="refill">How long it takes to make one ready.</param>
    public int Wanted(DateTimeOffset now, TimeSpan refill)
    {
        while (_arrivals.TryPeek(out DateTimeOffset oldest) && now - oldest > horizon)
        {
            _arrivals.Dequeue();
        }

        DateTimeOffset[] times = [.. _arrivals];
        int most = least;
        for (int first = 0, last = 0; last < times.Length; last++)
        {
            while (times[last] - times[first] > refill)
            {
                first++;
            }

            most = Math.Max(most, last - first + 1);
        }

        return most;
    }

    /// <summary>When <see cref="Wanted"/> may next say less without a further arrival; null: never.</summary>
    public DateTimeOffset? FallsAt => _arrivals.TryPeek(out DateTimeOffset oldest) ? oldest + horizon : null;
}
