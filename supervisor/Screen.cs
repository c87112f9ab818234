using Spectre.Console;
using Spectre.Console.Rendering;

namespace Vks.Supervisor;

/// <summary>Tables for people, in colour where the output can show it.</summary>
internal static class Screen
{
    /// <summary>A console that writes to a verb's output. In a pipe nothing is cut to a width.</summary>
    public static IAnsiConsole On(TextWriter output)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output) });
        if (Console.IsOutputRedirected || output != Console.Out)
        {
            console.Profile.Width = 250;
            console.Profile.Capabilities.Ansi = false;
        }

        return console;
    }

    /// <summary>A table without lines, as kubectl's.</summary>
    public static Table Table(params string[] columns)
    {
        Table table = new() { Border = TableBorder.None };
        foreach (string column in columns)
        {
            table.AddColumn(new TableColumn(new Text(column, new Style(decoration: Decoration.Dim))).Padding(0, 0, 2, 0));
        }

        return table;
    }

    /// <summary>A row of plain words; the colour tells how it is.</summary>
    public static void Add(this Table table, bool? good, params string?[] cells)
    {
        Style style = good switch { true => new Style(Color.Green), false => new Style(Color.Red), null => Style.Plain };
        table.AddRow(cells.Select((cell, place) => (IRenderable)new Text(cell ?? "", place == 0 ? style : Style.Plain)));
    }
}
