namespace Vks.Supervisor.Placement;

/// <summary>A host that a pod may not run on.</summary>
/// <param name="Host">Its name.</param>
/// <param name="Zone">Its zone.</param>
/// <param name="Filter">Which rule took it out.</param>
/// <param name="Reason">Why, for people.</param>
internal sealed record RemovedHost(string Host, string? Zone, string Filter, string Reason);
