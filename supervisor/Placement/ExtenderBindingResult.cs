namespace Vks.Supervisor.Placement;

/// <summary>Answer to the bind verb.</summary>
/// <param name="Error">Why not; empty when done.</param>
internal sealed record ExtenderBindingResult(string Error);
