using System.CommandLine;

namespace Vks.Supervisor;

/// <summary>The Supervisor: one program, one verb for each thing it does.</summary>
internal static class Program
{
    private static async Task<int> Main(string[] args)
    {
        // SIGTERM and SIGINT belong to the verb that runs, not to the parser.
        InvocationConfiguration invocation = new() { ProcessTerminationTimeout = null, EnableDefaultExceptionHandler = false };
        try
        {
            return await CommandLine.Build().Parse(args).InvokeAsync(invocation);
        }
        catch (SupervisorException problem)
        {
            await Console.Error.WriteLineAsync($"supervisor: {problem.Message}");
            return problem.Fault == SupervisorFault.Settings ? CommandLine.ConfigurationFault : 1;
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("supervisor: interrupted");
            return 130;
        }
    }
}
