using Vks.Supervisor.ControlPlane;

namespace Vks.Supervisor.Rollouts;

/// <summary>How long a rolling replacement bears with one member in one phase.</summary>
/// <param name="timing">How long.</param>
/// <param name="time">The clock.</param>
internal sealed class RolloutPatience(RolloutTiming timing, TimeProvider time)
{
    /// <summary>A host that does not do what it is asked to, this often one after the other, will not.</summary>
    private const int MostErrors = 3;

    /// <summary>Whoever waits for less than this is not told why.</summary>
    private static readonly TimeSpan s_long = TimeSpan.FromSeconds(30);

    private (string Member, MemberPhase? Phase) _about = ("", null);
    private long _since = time.GetTimestamp();
    private int _errors;
    private string _told = "";

    /// <summary>How long the matter at hand may take.</summary>
    public TimeSpan Limit => _about.Phase == MemberPhase.Joining ? timing.Join : timing.Leave;

    /// <summary>Whether it has taken longer.</summary>
    public bool IsOver => time.GetElapsedTime(_since) > Limit;

    /// <summary>What the next step is about; for something new patience begins anew.</summary>
    /// <param name="member">The member, or empty.</param>
    /// <param name="phase">Where it stands, or null.</param>
    public void About(string member, MemberPhase? phase)
    {
        if (_about != (member, phase))
        {
            (_about, _since, _errors) = ((member, phase), time.GetTimestamp(), 0);
        }
    }

    /// <summary>A step was tried, and whoever was asked has answered.</summary>
    public void Answered() => _errors = 0;

    /// <summary>A step failed.</summary>
    /// <returns>Whether too many have.</returns>
    public bool Failed() => ++_errors >= MostErrors;

    /// <summary>Whether to say now why it waits: after a while, and each reason once.</summary>
    /// <param name="why">The reason.</param>
    public bool TellsNow(string why)
    {
        if (why == _told || time.GetElapsedTime(_since) < s_long)
        {
            return false;
        }

        _told = why;
        return true;
    }
}
