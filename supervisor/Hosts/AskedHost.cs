namespace Vks.Supervisor.Hosts;

/// <summary>What a host said, and between which times of this host.</summary>
/// <param name="Facts">What it said.</param>
/// <param name="Begin">When it was asked.</param>
/// <param name="End">When it had answered.</param>
internal sealed record AskedHost(HostFacts Facts, DateTimeOffset Begin, DateTimeOffset End);
