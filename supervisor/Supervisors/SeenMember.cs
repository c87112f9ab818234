namespace Vks.Supervisor.Supervisors;

/// <summary>A member as the leader sees it.</summary>
/// <param name="Report">What it last said.</param>
/// <param name="SilentFor">Since when it has said nothing.</param>
internal sealed record SeenMember(MemberReport Report, TimeSpan SilentFor)
{
    /// <summary>It has not said anything for too long.</summary>
    public bool IsSilent => SilentFor > SupervisorPlan.SilentAfter;

    /// <summary>It serves the API.</summary>
    public bool IsReady => !IsSilent && Report.Ready;
}
