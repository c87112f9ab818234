using Vks.Supervisor.Zones;

namespace Vks.Supervisor.Placement;

/// <summary>A place that was given to a pod, until its binding is seen.</summary>
/// <param name="Space">Its namespace.</param>
/// <param name="Owner">Who made it, or null.</param>
/// <param name="Host">The host.</param>
/// <param name="Request">What it asks for.</param>
/// <param name="Until">When it no longer counts: the pod went elsewhere, or away.</param>
internal sealed record Reservation(string Space, string? Owner, string Host, PodRequest Request, DateTimeOffset Until);
