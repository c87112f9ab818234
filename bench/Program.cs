using System.CommandLine;
using Grpc.Core;

namespace Vks.Bench;

/// <summary>The benchmark. Exit codes: 0 all gates passed, 1 a gate did not, 2 it could not be run, 130 interrupted.</summary>
internal static class Program
{
    private static async Task<int> Main(string[] args)
    {
        InvocationConfiguration invocation = new() { ProcessTerminationTimeout = null, EnableDefaultExceptionHandler = false };
        try
        {
            return await CommandLine.Build().Parse(args).InvokeAsync(invocation);
        }
        catch (Exception problem) when (problem is OperationCanceledException or RpcException { StatusCode: StatusCode.Cancelled })
        {
            await Console.Error.WriteLineAsync("vks bench: interrupted; what it had started is gone.");
            return 130;
        }
        catch (Exception problem) when (problem is BenchException or IOException or UnauthorizedAccessException or RpcException)
        {
            await Console.Error.WriteLineAsync($"vks bench: {problem.Message}");
            return 2;
        }
    }
}
