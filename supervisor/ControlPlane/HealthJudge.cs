namespace Vks.Supervisor.ControlPlane;

/// <summary>Whether something counts as healthy, from what probes of it gave. Pure; times are a monotonic clock's.</summary>
/// <param name="patience">Healthy is what answered well no longer ago than this: one bad answer is no illness, and a judge that stood still for a while knows nothing good.</param>
/// <param name="silence">The same for what has given no bad answer since, but none at all: it may only be slow. Not shorter than <paramref name="patience"/>.</param>
internal sealed class HealthJudge(TimeSpan patience, TimeSpan silence)
{
    private readonly Lock _lock = new();
    private TimeSpan? _lastGood;
    private TimeSpan? _badSince;
    private bool _refused;
    private string _why = "not looked at yet";

    /// <summary>One that takes silence for a bad answer.</summary>
    /// <param name="patience">Healthy is what answered well no longer ago than this.</param>
    public HealthJudge(TimeSpan patience)
        : this(patience, patience)
    {
    }

    /// <summary>What the last bad probe gave; empty while all is well.</summary>
    public string Why
    {
        get
        {
            lock (_lock)
            {
                return _why;
            }
        }
    }

    /// <summary>A probe went well.</summary>
    /// <param name="asked">When it was begun: what came after that it does not tell.</param>
    public void Good(TimeSpan asked)
    {
        lock (_lock)
        {
            _lastGood = asked;
            _badSince = null;
            _refused = false;
            _why = "";
        }
    }

    /// <summary>A probe went badly.</summary>
    /// <param name="now">The time.</param>
    /// <param name="why">What came back.</param>
    /// <param name="certain">It is known not to be there at all: no patience.</param>
    /// <param name="silent">No answer came, in time or at all.</param>
    public void Bad(TimeSpan now, string why, bool certain = false, bool silent = false)
    {
        lock (_lock)
        {
            _badSince ??= now;
            _refused |= !silent;
            _why = why;
            if (certain)
            {
                _lastGood = null;
            }
        }
    }

    /// <summary>Whether it counts as healthy.</summary>
    /// <param name="now">The time.</param>
    public bool IsHealthy(TimeSpan now)
    {
        lock (_lock)
        {
            return _lastGood is { } last && now - last <= (_refused ? patience : silence);
        }
    }

    /// <summary>How long no probe went well; zero while they do.</summary>
    /// <param name="now">The time.</param>
    public TimeSpan BadFor(TimeSpan now)
    {
        lock (_lock)
        {
            return _badSince is { } since ? now - since : TimeSpan.Zero;
        }
    }
}
