namespace Vks.Supervisor.Operations;

/// <summary>Something that a preflight found.</summary>
/// <param name="Check">Which check: a short name.</param>
/// <param name="Host">The host, or empty for all together.</param>
/// <param name="Severe">A control plane would not work; otherwise it may be slow or hard to run.</param>
/// <param name="What">What is the matter, with the values.</param>
/// <param name="Fix">What to do.</param>
internal sealed record Finding(string Check, string Host, bool Severe, string What, string Fix);
