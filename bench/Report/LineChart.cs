using ScottPlot;

namespace Vks.Bench.Report;

/// <summary>Samples in their order, a line and points for each arm.</summary>
internal static class LineChart
{
    private const int Width = 760;
    private const int Height = 320;

    /// <summary>Draws it.</summary>
    /// <param name="lines">Arm and its samples; the first is at 1.</param>
    /// <param name="across">What the horizontal axis counts.</param>
    /// <param name="up">What the vertical axis measures.</param>
    public static string Draw(IReadOnlyList<(string Arm, IReadOnlyList<double> Samples)> lines, string across, string up)
    {
        using Plot plot = ChartStyle.New();
        foreach ((string arm, IReadOnlyList<double> samples) in lines)
        {
            var line = plot.Add.Scatter(samples.Select(static (_, index) => index + 1.0).ToArray(), samples.ToArray());
            line.Color = Palette.Arm(arm);
            line.LineWidth = 1.5f;
            line.MarkerSize = 5;
            line.LegendText = arm;
        }

        plot.Axes.SetLimitsY(0, lines.Max(static line => line.Samples.Max()) * 1.1);
        plot.Axes.SetLimitsX(0, lines.Max(static line => line.Samples.Count) + 1);
        plot.XLabel(across);
        plot.YLabel(up);
        plot.ShowLegend(Edge.Bottom);
        return ChartStyle.Svg(plot, Width, Height);
    }
}
