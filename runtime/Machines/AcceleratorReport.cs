namespace Vks.Runtime.Machines;

/// <summary>What the accelerator probe found.</summary>
/// <param name="IsKvm">Guests run on KVM; else on TCG.</param>
/// <param name="Reason">Why, in words for a person.</param>
public sealed record AcceleratorReport(bool IsKvm, string Reason);
