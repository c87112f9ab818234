namespace Vks.Supervisor.Placement;

/// <summary>One host's score, in the answer to the prioritize verb.</summary>
/// <param name="Host">Its name.</param>
/// <param name="Score">0 to 10.</param>
internal sealed record HostPriority(string Host, long Score);
