namespace Vks.Supervisor.Rollouts;

/// <summary>How long a rolling replacement waits for things.</summary>
/// <param name="Poll">Between looks.</param>
/// <param name="Join">For a new member, from its first word until it serves; with much data it has to catch up first.</param>
/// <param name="Leave">For a member to be gone, and for anything else.</param>
internal sealed record RolloutTiming(TimeSpan Poll, TimeSpan Join, TimeSpan Leave)
{
    /// <summary>What is usual.</summary>
    public static RolloutTiming Usual { get; } = new(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(5));
}
