using ScottPlot;
using Vks.Bench.Results;

namespace Vks.Bench.Report;

/// <summary>One colour for each arm, the same in every chart and table.</summary>
internal static class Palette
{
    private static readonly Dictionary<string, string> s_arms = new(StringComparer.Ordinal)
    {
        [ArmNames.Clone] = "#0f766e",
        [ArmNames.Pool] = "#b45309",
        [ArmNames.Before] = "#a78bfa",
        [ArmNames.Cold] = "#2563eb",
        [ArmNames.Containerd] = "#9ca3af",
        [ArmNames.Host] = "#4b5563",
        [ArmNames.Ours] = "#0f766e",
        [ArmNames.OursTiny] = "#5eead4",
        [ArmNames.StockPc] = "#9ca3af",
        [ArmNames.StockQ35] = "#b9bec7",
        [ArmNames.StockMicrovm] = "#d1d5db",
    };

    /// <summary>Colours of the parts of a whole.</summary>
    private static readonly string[] s_parts = ["#1e3a8a", "#2563eb", "#60a5fa", "#f59e0b", "#f97316", "#7c3aed", "#10b981", "#6b7280"];

    /// <summary>The arm's colour, as CSS has it.</summary>
    public static string Css(string arm) => s_arms.GetValueOrDefault(arm, "#6b7280");

    /// <summary>The arm's colour.</summary>
    public static Color Arm(string arm) => Color.FromHex(Css(arm));

    /// <summary>The colour of the n-th part of a whole.</summary>
    public static Color Part(int index) => Color.FromHex(s_parts[index % s_parts.Length]);
}
