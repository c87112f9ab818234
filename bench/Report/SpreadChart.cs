using ScottPlot;

namespace Vks.Bench.Report;

/// <summary>Every single sample as a point, one row for each arm, with a mark at the median: what percentiles alone would hide.</summary>
internal static class SpreadChart
{
    private const int Width = 760;
    private const int RowHeight = 56;
    private const int FrameHeight = 70;

    /// <summary>Draws it; rows from top to bottom.</summary>
    /// <param name="rows">Arm, its samples and their median.</param>
    /// <param name="unit">Unit of the samples.</param>
    public static string Draw(IReadOnlyList<(string Arm, IReadOnlyList<double> Samples, double Median)> rows, string unit)
    {
        using Plot plot = ChartStyle.New();
        for (int index = 0; index < rows.Count; index++)
        {
            (string arm, IReadOnlyList<double> samples, double median) = rows[index];
            double position = rows.Count - 1 - index;

            // Points of one row are moved up and down a little, the same way in every drawing, so that they do not hide each other.
            var points = plot.Add.ScatterPoints(samples.ToArray(), samples.Select((_, number) => position + ((((number * 7) % 11) - 5) * 0.045)).ToArray());
            points.Color = Palette.Arm(arm).WithAlpha(0.55);
            points.MarkerSize = 7;
            points.MarkerShape = MarkerShape.FilledCircle;
            var mark = plot.Add.Line(median, position - 0.36, median, position + 0.36);
            mark.Color = ChartStyle.Ink;
            mark.LineWidth = 2;
            var text = plot.Add.Text($"{Words.Number(median)} {unit}", median, position + 0.4);
            text.LabelAlignment = Alignment.LowerCenter;
            text.LabelFontSize = ChartStyle.FontSize - 1;
            text.LabelFontColor = ChartStyle.Ink;
        }

        plot.Axes.Left.SetTicks([.. rows.Select((_, index) => (double)(rows.Count - 1 - index))], [.. rows.Select(static row => row.Arm)]);
        plot.Axes.Left.MajorTickStyle.Length = 0;
        plot.Axes.SetLimits(0, rows.Max(static row => row.Samples.Max()) * 1.05, -0.6, rows.Count - 0.25);
        plot.XLabel(unit);
        plot.Grid.YAxisStyle.IsVisible = false;
        return ChartStyle.Svg(plot, Width, FrameHeight + (RowHeight * rows.Count));
    }
}
