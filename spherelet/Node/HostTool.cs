using System.ComponentModel;
using System.Text;
using CliWrap;

namespace Vks.Spherelet.Images;

/// <summary>What a tool's run came to.</summary>
/// <param name="ExitCode">0 is success.</param>
/// <param name="Output">Standard output as bytes; manifests must keep theirs.</param>
/// <param name="Errors">The last of standard error.</param>
internal sealed record HostToolResult(int ExitCode, byte[] Output, string Errors);

/// <summary>Runs a short-lived host tool to its end, or kills it and its children when cancelled.</summary>
internal static class HostTool
{
    private const int MaxErrorChars = 4000;

    /// <summary>Runs the command.</summary>
    /// <param name="command">Program, arguments, environment, standard input.</param>
    /// <param name="package">Debian package that has the program.</param>
    /// <param name="image">The image it is for.</param>
    /// <param name="onLine">Gets lines of standard output as they come, instead of the result; or null.</param>
    /// <param name="cancellationToken">Kills the tool; the call returns after its end.</param>
    /// <exception cref="ImageException"><see cref="ImageFault.ToolFailed"/>: it cannot be started.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static async Task<HostToolResult> RunAsync(
        Command command, string package, string image, Action<string>? onLine, CancellationToken cancellationToken)
    {
        using MemoryStream output = new();
        StringBuilder errors = new();
        try
        {
            CommandResult result = await command
                .WithStandardOutputPipe(onLine is null ? PipeTarget.ToStream(output) : PipeTarget.ToDelegate(onLine))
                .WithStandardErrorPipe(PipeTarget.ToDelegate(line => AppendBounded(errors, line)))
                .WithValidation(CommandResultValidation.None)
                .ExecuteAsync(cancellationToken);
            return new HostToolResult(result.ExitCode, output.ToArray(), errors.ToString().Trim());
        }
        catch (Win32Exception e)
        {
            throw new ImageException(
                ImageFault.ToolFailed,
                image,
                $"Could not start {command.TargetFilePath} for {image}: {e.Message}. Install Debian's package {package}.",
                e);
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
