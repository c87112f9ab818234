using System.Diagnostics.Metrics;

namespace Vks.Runtime.Machines;

/// <summary>Counts an engine's machines by state, when somebody listens.</summary>
internal sealed class EngineMeter : IDisposable
{
    private readonly Meter _meter = new(MachineTelemetry.SourceName);

    /// <summary>Starts to offer the counts.</summary>
    /// <param name="machines">The machines now.</param>
    internal EngineMeter(Func<IEnumerable<Machine>> machines) => _ = _meter.CreateObservableGauge(
        "vks.machines",
        () => Enum.GetValues<MachineState>().Select(state => new Measurement<int>(
            machines().Count(machine => machine.Current.State == state), new KeyValuePair<string, object?>("state", state.ToString()))),
        "{machine}",
        "Machines by state");

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();
}
