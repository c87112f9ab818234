using System.ComponentModel;
using System.Text.RegularExpressions;
using CliWrap;
using CliWrap.Buffered;

namespace Vks.Supervisor.ControlPlane;

/// <summary>Which version of Kubernetes a folder's programs are.</summary>
internal static partial class ProgramVersion
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    /// <summary>Asks kube-apiserver, as the programs of a folder are of one release.</summary>
    /// <param name="programs">The folder.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    /// <returns>As <c>1.20.2</c>.</returns>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Host"/>: the program does not run, or says something else.</exception>
    public static async Task<string> OfAsync(string programs, CancellationToken cancellationToken)
    {
        string program = Path.Combine(programs, MemberPrograms.ApiServer);
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_limit);
        try
        {
            BufferedCommandResult said = await Cli.Wrap(program).WithArguments("--version").WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(limit.Token);
            return Of(said.StandardOutput) ?? throw Unknown(program, $"ended with {said.ExitCode} and said '{(said.StandardOutput + said.StandardError).Trim()}'");
        }
        catch (Win32Exception problem)
        {
            throw Unknown(program, problem.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw Unknown(program, $"said nothing within {s_limit.TotalSeconds:0} s");
        }
    }

    /// <summary>The version in what a program says of itself, or null.</summary>
    /// <param name="said">As <c>Kubernetes v1.20.2</c>.</param>
    public static string? Of(string said) => Version().Match(said) is { Success: true } found ? found.Groups[1].Value : null;

    private static SupervisorException Unknown(string program, string what) =>
        new(SupervisorFault.Host, $"{program} --version: {what}. Do: see that the folder 'programs' of the settings holds Kubernetes 1.20 or later for this host");

    [GeneratedRegex(@"^Kubernetes v(\d+\.\d+\.\d+\S*)", RegexOptions.Multiline)]
    private static partial Regex Version();
}
