namespace Vks.Supervisor.FloatingAddress;

/// <summary>
/// Decides for one member what to do about the floating address. Pure: no clock, no network; times are a monotonic clock's of this host.
/// </summary>
/// <remarks>
/// <code>
///            record is free, or unchanged for Takeover, and we are fit: Write
///   others' ─────────────────────────────────────────────────────────────► ours ──┐ fit: Write (heartbeat)
///      ▲                                                                    │  ▲──┘
///      └──── a write is refused: somebody else wrote ───────────────────────┤
///      └──── not fit: GiveUp (off the link, then released) ─────────────────┘
/// </code>
/// A heartbeat is a write upon our own last one. It succeeds only if nobody wrote in between, so it is right even when the time of the last
/// one is over. Without an answer we do not know whether it was written: then we look.
/// </remarks>
/// <param name="member">This member.</param>
/// <param name="incarnation">This run of it.</param>
internal sealed class AddressClaim(string member, string incarnation)
{
    private bool _known;
    private long _revision = -1;
    private AddressRecord? _record;
    private TimeSpan _since;
    private long _sequence;
    private bool _looked;

    /// <summary>The last known writer that has not released the address, or null.</summary>
    public string? Holder => _record is { Released: false } record ? record.Member : null;

    /// <summary>Whether the last known record is a heartbeat of ours.</summary>
    public bool IsOurs => _known && _record is { Released: false } record && record.Incarnation == incarnation;

    /// <summary>What to do now.</summary>
    /// <param name="now">The time.</param>
    /// <param name="fit">Whether the address may be with this member; see <see cref="HolderRule"/>. That two never have it does not rest on this.</param>
    public ClaimStep Next(TimeSpan now, bool fit)
    {
        if (!_known)
        {
            return new ClaimStep.Look();
        }

        if (IsOurs)
        {
            return fit ? new ClaimStep.Write(_revision, NewRecord(released: false)) : new ClaimStep.GiveUp(_revision, NewRecord(released: true));
        }

        bool free = _record is null or { Released: true };
        return fit && (free || now - _since >= ClaimTiming.Takeover) ? new ClaimStep.Write(_revision, NewRecord(released: false)) : new ClaimStep.Look();
    }

    /// <summary>The record was read.</summary>
    /// <param name="revision">Its revision; 0 when there is none.</param>
    /// <param name="record">What it says, or null.</param>
    /// <param name="now">The time at which the answer was here, not earlier.</param>
    public void Seen(long revision, AddressRecord? record, TimeSpan now)
    {
        // Also after a write that failed: the same revision has been there since we first saw it.
        if (revision != _revision)
        {
            _since = now;
        }

        _known = true;
        _looked = true;
        _revision = revision;
        _record = record;
    }

    /// <summary>A write succeeded.</summary>
    /// <param name="revision">The record's new revision.</param>
    /// <param name="record">What was written.</param>
    /// <param name="now">The time at which the answer was here.</param>
    public void Written(long revision, AddressRecord record, TimeSpan now)
    {
        Seen(revision, record, now);
        _looked = false;
    }

    /// <summary>A write was refused, or nobody knows what became of it: what we knew of the record may no longer hold.</summary>
    public void Forget() => _known = false;

    /// <summary>How long to wait after a step before the next.</summary>
    /// <param name="now">The time.</param>
    public TimeSpan Pause(TimeSpan now)
    {
        if (IsOurs)
        {
            // After a heartbeat without an answer the time is running; the next one must not wait.
            return _looked ? TimeSpan.Zero : ClaimTiming.Heartbeat;
        }

        TimeSpan left = _since + ClaimTiming.Takeover - now;
        return _known && Holder is not null && left > TimeSpan.Zero && left < ClaimTiming.Look ? left : ClaimTiming.Look;
    }

    private AddressRecord NewRecord(bool released) =>
        new() { Member = member, Incarnation = incarnation, Sequence = ++_sequence, Released = released };
}
