using System.Text.Json;
using Spectre.Console;

namespace Vks.Spherelet.Node;

/// <summary><c>spherelet doctor</c>: shows how fit the host is for pods, and how to mend what is not.</summary>
internal static class DoctorCommand
{
    /// <summary>Prints the checks; 1 when one of them fails, else 0.</summary>
    public static int Show(IReadOnlyList<CheckResult> results, bool json, TextWriter output)
    {
        if (json)
        {
            output.WriteLine(JsonSerializer.Serialize(results, CheckJson.Default.IReadOnlyListCheckResult));
        }
        else
        {
            ShowTable(results, output);
        }

        return results.Any(static result => result.Status == CheckStatus.Fail) ? 1 : 0;
    }

    private static void ShowTable(IReadOnlyList<CheckResult> results, TextWriter output)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output) });
        Table table = new() { Border = TableBorder.Rounded };
        table.AddColumns("check", "", "found", "what to do");
        foreach (CheckResult result in results)
        {
            table.AddRow(
                new Text(result.Name),
                result.Status switch
                {
                    CheckStatus.Ok => new Markup("[green]ok[/]"),
                    CheckStatus.Warn => new Markup("[yellow]warn[/]"),
                    _ => new Markup("[red]fail[/]"),
                },
                new Text(result.Found),
                new Text(result.Status == CheckStatus.Ok ? "" : result.Fix));
        }

        console.Write(table);
    }
}
