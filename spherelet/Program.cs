using System.CommandLine;
using Vks.Runtime.Guest;
using Vks.Runtime.Machines;
using Vks.Spherelet.Images;
using Vks.Spherelet.Network;
using Vks.Spherelet.Node;

namespace Vks.Spherelet;

/// <summary>The Spherelet: one program, one verb for each thing it does. All wiring is in <see cref="Daemon"/>.</summary>
internal static class Program
{
    /// <summary>sysexits.h EX_CONFIG: the settings are wrong, and a restart will not help.</summary>
    private const int ConfigurationFault = 78;

    private static async Task<int> Main(string[] args)
    {
        // SIGTERM and SIGINT belong to the verb that runs, not to the parser.
        InvocationConfiguration invocation = new() { ProcessTerminationTimeout = null, EnableDefaultExceptionHandler = false };
        try
        {
            return await CommandLine.Build().Parse(args).InvokeAsync(invocation);
        }
        catch (OptionsException problem)
        {
            await Console.Error.WriteLineAsync(problem.Message);
            return ConfigurationFault;
        }
        catch (Exception problem) when (problem is NodeException or MachineException or GuestException or ImageException or NetworkException or Pods.PodException or Machines.KeptMachineException
            or Grpc.Core.RpcException or IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"spherelet: {problem.Message}");
            return 1;
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("spherelet: interrupted");
            return 130;
        }
    }
}
