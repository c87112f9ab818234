using System.Globalization;
using ScottPlot;

namespace Vks.Bench.Report;

/// <summary>Horizontal bars, each of one or more parts, its value written at its end.</summary>
internal static class BarChart
{
    private const int Width = 760;
    private const int RowHeight = 34;
    private const int FrameHeight = 80;

    /// <summary>Draws it; rows from top to bottom.</summary>
    /// <param name="rows">Label and parts of each bar.</param>
    /// <param name="unit">Unit of all values.</param>
    /// <param name="legend">Names of the parts, or none.</param>
    public static string Draw(IReadOnlyList<BarRow> rows, string unit, IReadOnlyList<string> legend)
    {
        using Plot plot = ChartStyle.New();
        double longest = rows.Max(static row => row.Parts.Sum(static part => part.Value));
        for (int index = 0; index < rows.Count; index++)
        {
            double begin = 0;
            double position = rows.Count - 1 - index;
            foreach ((double value, Color colour) in rows[index].Parts)
            {
                plot.Add.Bar(new Bar { Position = position, ValueBase = begin, Value = begin + value, FillColor = colour, LineWidth = 0, Size = 0.62, Orientation = Orientation.Horizontal });
                begin += value;
            }

            var text = plot.Add.Text(string.Create(CultureInfo.InvariantCulture, $"{Words.Number(begin)} {unit}"), begin + (longest * 0.01), position);
            text.LabelAlignment = Alignment.MiddleLeft;
            text.LabelFontSize = ChartStyle.FontSize;
            text.LabelFontColor = ChartStyle.Ink;
        }

        plot.Axes.Left.SetTicks([.. rows.Select((_, index) => (double)(rows.Count - 1 - index))], [.. rows.Select(static row => row.Label)]);
        plot.Axes.Left.MajorTickStyle.Length = 0;
        plot.Axes.SetLimits(0, longest * 1.16, -0.6, rows.Count - 0.4);
        plot.XLabel(unit);
        plot.Grid.YAxisStyle.IsVisible = false;
        for (int part = 0; part < legend.Count; part++)
        {
            plot.Legend.ManualItems.Add(new LegendItem { LabelText = legend[part], FillColor = rows[0].Parts.Count > part ? rows.MaxBy(static row => row.Parts.Count)!.Parts[part].Colour : ChartStyle.Ink });
        }

        if (legend.Count > 0)
        {
            plot.ShowLegend(Edge.Bottom);
        }

        return ChartStyle.Svg(plot, Width, FrameHeight + (RowHeight * rows.Count) + (legend.Count > 0 ? 40 : 0));
    }
}

/// <summary>One bar.</summary>
/// <param name="Label">What it is of.</param>
/// <param name="Parts">Value and colour of each part.</param>
internal sealed record BarRow(string Label, IReadOnlyList<(double Value, Color Colour)> Parts);
