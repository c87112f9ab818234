using ScottPlot;

namespace Vks.Bench.Report;

/// <summary>How all charts look.</summary>
internal static class ChartStyle
{
    /// <summary>Size of text.</summary>
    public const float FontSize = 13;

    /// <summary>Colour of text.</summary>
    public static Color Ink { get; } = Color.FromHex("#1f2937");

    /// <summary>An empty plot.</summary>
    public static Plot New()
    {
        Plot plot = new();
        plot.FigureBackground.Color = Colors.Transparent;
        plot.DataBackground.Color = Colors.Transparent;
        plot.Axes.Color(Color.FromHex("#4b5563"));
        plot.Axes.Right.IsVisible = false;
        plot.Axes.Top.IsVisible = false;
        plot.Axes.Left.FrameLineStyle.Width = 0;
        plot.Axes.Left.MinorTickStyle.Length = 0;
        plot.Axes.Bottom.MinorTickStyle.Length = 0;
        plot.Axes.Bottom.FrameLineStyle.Color = Color.FromHex("#d1d5db");
        plot.Axes.Left.TickLabelStyle.FontSize = FontSize;
        plot.Axes.Bottom.TickLabelStyle.FontSize = FontSize - 1;
        plot.Axes.Bottom.Label.FontSize = FontSize - 1;
        plot.Axes.Bottom.Label.Bold = false;
        plot.Axes.Left.Label.FontSize = FontSize - 1;
        plot.Axes.Left.Label.Bold = false;
        plot.Grid.MajorLineColor = Color.FromHex("#e5e7eb");
        plot.Legend.OutlineWidth = 0;
        plot.Legend.ShadowColor = Colors.Transparent;
        plot.Legend.BackgroundColor = Colors.Transparent;
        plot.Legend.FontSize = FontSize - 1;
        plot.Legend.Orientation = Orientation.Horizontal;
        return plot;
    }

    /// <summary>The picture as markup that stands in a page: its text stays text, in the page's font.</summary>
    public static string Svg(Plot plot, int width, int height)
    {
        string svg = plot.GetSvgXml(width, height);
        int begin = svg.IndexOf("<svg", StringComparison.Ordinal);
        return svg[begin..].Replace("<svg ", $"<svg viewBox=\"0 0 {width} {height}\" role=\"img\" ", StringComparison.Ordinal);
    }
}
