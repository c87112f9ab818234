using System.ComponentModel;
using System.Text;
using CliWrap;

namespace Vks.Spherelet.Node;

/// <summary>What a tool's run came to.</summary>
/// <param name="ExitCode">0 is success; <see cref="HostTool.NotStarted"/> when it could not be started.</param>
/// <param name="Output">Standard output as bytes; some of it is hashed.</param>
/// <param name="Errors">The last of standard error, or why the tool could not be started and what to install.</param>
internal sealed record HostToolResult(int ExitCode, byte[] Output, string Errors)
{
    /// <summary>Standard output as text.</summary>
    public string Text => Encoding.UTF8.GetString(Output);
}

/// <summary>Runs a short-lived host tool to its end, or kills it and its children when cancelled.</summary>
internal static class HostTool
{
    /// <summary>The exit code shells use for a program that is not there.</summary>
    public const int NotStarted = 127;

    private const int MaxErrorChars = 4000;

    /// <summary>Runs a program with arguments alone.</summary>
    /// <param name="program">Its name or path.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="package">Debian package that has the program.</param>
    /// <param name="cancellationToken">Kills the tool; the call returns after its end.</param>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static Task<HostToolResult> RunAsync(string program, IReadOnlyList<string> arguments, string package, CancellationToken cancellationToken) =>
        RunAsync(Cli.Wrap(program).WithArguments(arguments), package, onLine: null, cancellationToken);

    /// <summary>Runs a command.</summary>
    /// <param name="command">Program, arguments, environment, standard input.</param>
    /// <param name="package">Debian package that has the program.</param>
    /// <param name="onLine">Gets lines of standard output as they come, instead of the result; or null.</param>
    /// <param name="cancellationToken">Kills the tool; the call returns after its end.</param>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static async Task<HostToolResult> RunAsync(Command command, string package, Action<string>? onLine, CancellationToken cancellationToken)
    {
        using MemoryStream output = new();
        StringBuilder errors = new();
        try
        {
            // The tools' words are read by us: they must not come in the language of whoever started the daemon.
            CommandResult result = await command
                .WithEnvironmentVariables(new Dictionary<string, string?>(command.EnvironmentVariables) { ["LC_ALL"] = "C" })
                .WithStandardOutputPipe(onLine is null ? PipeTarget.ToStream(output) : PipeTarget.ToDelegate(onLine))
                .WithStandardErrorPipe(PipeTarget.ToDelegate(line => AppendBounded(errors, line)))
                .WithValidation(CommandResultValidation.None)
                .ExecuteAsync(cancellationToken);
            return new HostToolResult(result.ExitCode, output.ToArray(), errors.ToString().Trim());
        }
        catch (Win32Exception problem)
        {
            return new HostToolResult(
                NotStarted, [], $"{command.TargetFilePath} cannot be started: {problem.Message}. Install it (Debian: apt-get install {package}).");
        }
    }

    private static void AppendBounded(StringBuilder errors, string line)
    {
        errors.AppendLine(line);
        if (errors.Length > MaxErrorChars)
        {
            errors.Remove(0, errors.Length - MaxErrorChars);
        }
    }
}
