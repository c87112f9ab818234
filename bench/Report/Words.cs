using System.Globalization;
using Vks.Bench.Host;
using Vks.Bench.Results;

namespace Vks.Bench.Report;

/// <summary>Numbers for people.</summary>
internal static class Words
{
    /// <summary>A value with as many digits as it deserves; a dash for none.</summary>
    public static string Number(double? value) => value switch
    {
        null => "–",
        0 => "0",
        { } number when Math.Abs(number) >= 100 => number.ToString("F0", CultureInfo.InvariantCulture),
        { } number when Math.Abs(number) >= 10 => number.ToString("F1", CultureInfo.InvariantCulture),
        { } number => number.ToString("F2", CultureInfo.InvariantCulture),
    };

    /// <summary>A whole count without decimals, else as <see cref="Number"/>.</summary>
    public static string Value(double? value, string unit) =>
        value is { } number && unit == "count" ? number.ToString("F0", CultureInfo.InvariantCulture) : Number(value);

    /// <summary>The limit of a gate.</summary>
    public static string Limit(Gate gate) => (gate.AtLeast ? "≥ " : "≤ ") + (gate.IsCount ? gate.Limit.ToString("F0", CultureInfo.InvariantCulture) : gate.Limit.ToString("0.##", CultureInfo.InvariantCulture));

    /// <summary>What is to be said of a machine that had other work.</summary>
    public static string Busy(MachineDescription machine) =>
        $"This machine had other work when the run began (load {machine.Load} on {machine.Processors} processors): times are longer and ratios less sure than on a quiet one.";

    /// <summary>What came of a gate.</summary>
    public static string Verdict(GateVerdict verdict) => verdict switch
    {
        GateVerdict.Passed => "pass",
        GateVerdict.Failed => "fail",
        _ => "not measured",
    };
}
