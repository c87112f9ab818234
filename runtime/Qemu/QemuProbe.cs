using System.Text;
using System.Text.RegularExpressions;
using CliWrap;
using CliWrap.Buffered;
using CliWrap.Exceptions;

namespace Vks.Runtime.Qemu;

/// <summary>Asks a QEMU program what it is.</summary>
public static partial class QemuProbe
{
    /// <summary>Runs the program with <c>-version</c> and <c>-machine help</c>.</summary>
    /// <param name="program">An absolute path, or a name on PATH.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    /// <exception cref="QemuException"><see cref="QemuFault.ProgramMissing"/>, <see cref="QemuFault.Unsuitable"/>: it does not answer as QEMU does.</exception>
    public static async Task<QemuVersion> AskAsync(string program, CancellationToken cancellationToken)
    {
        string path = FindProgram(program);
        string version = await RunAsync(path, "-version", cancellationToken);
        Match match = VersionLine().Match(version);
        if (!match.Success)
        {
            throw new QemuException(QemuFault.Unsuitable, $"{path} -version answered '{version.Split('\n')[0]}', not a QEMU version.");
        }

        string machines = await RunAsync(path, "-machine help", cancellationToken);
        bool hasMicrovm = machines.Split('\n').Any(line => line.StartsWith("microvm ", StringComparison.Ordinal));
        return new QemuVersion(path, Version.Parse(match.Groups[1].Value), hasMicrovm);
    }

    /// <summary>The program's absolute path.</summary>
    /// <exception cref="QemuException"><see cref="QemuFault.ProgramMissing"/>.</exception>
    internal static string FindProgram(string program)
    {
        if (program.Contains('/', StringComparison.Ordinal))
        {
            string full = Path.GetFullPath(program);
            return File.Exists(full) ? full : throw Missing(full);
        }

        string search = Environment.GetEnvironmentVariable("PATH") ?? "/usr/bin:/bin";
        return search.Split(':', StringSplitOptions.RemoveEmptyEntries).Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists)
            ?? throw Missing($"{program} (searched in {search})");
    }

    private static QemuException Missing(string what) =>
        new(QemuFault.ProgramMissing, $"There is no QEMU program {what}: install the package qemu-system-x86, or set the path.");

    private static async Task<string> RunAsync(string path, string arguments, CancellationToken cancellationToken)
    {
        try
        {
            BufferedCommandResult result = await Cli.Wrap(path).WithArguments(arguments).ExecuteBufferedAsync(Encoding.UTF8, cancellationToken);
            return result.StandardOutput;
        }
        catch (CommandExecutionException exception)
        {
            throw new QemuException(QemuFault.Unsuitable, $"{path} {arguments} failed: {exception.Message}", exception) { ExitCode = exception.ExitCode };
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            throw new QemuException(QemuFault.ProgramMissing, $"{path} cannot be executed: {exception.Message}.", exception);
        }
    }

    [GeneratedRegex(@"version (\d+\.\d+(\.\d+)?)", RegexOptions.CultureInvariant)]
    private static partial Regex VersionLine();
}

/// <summary>What a QEMU program said of itself.</summary>
/// <param name="Path">The program, absolute.</param>
/// <param name="Version">e.g. 7.2.22.</param>
/// <param name="HasMicrovm">It can be a microvm machine.</param>
public sealed record QemuVersion(string Path, Version Version, bool HasMicrovm);
