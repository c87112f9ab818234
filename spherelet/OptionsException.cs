namespace Vks.Spherelet;

/// <summary>The settings break rules; the message lists every fault of every source.</summary>
internal sealed class OptionsException(IReadOnlyList<string> faults)
    : Exception($"spherelet: {faults.Count} fault{(faults.Count == 1 ? "" : "s")} in the settings, nothing was started:\n  - {string.Join("\n  - ", faults)}")
{
    /// <summary>The faults.</summary>
    public IReadOnlyList<string> Faults { get; } = faults;
}
