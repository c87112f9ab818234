using System.Globalization;
using System.Text.RegularExpressions;
using CliWrap;
using CliWrap.Buffered;
using Grpc.Core;
using Vks.Bench.Arms;
using Vks.Bench.Results;
using Vks.Spherelet.Cri.V1;

namespace Vks.Bench.Sections;

/// <summary>
/// Reading and writing in a pod: its own file system, and a folder of the host mounted into it; beside them the host itself. Writing ends
/// with fsync, reading goes past the page cache of whoever reads (<c>O_DIRECT</c>).
/// </summary>
internal sealed partial class StorageSection : ISection
{
    /// <inheritdoc/>
    public string Name => Measures.Storage;

    /// <inheritdoc/>
    public string Title => "reading and writing";

    /// <inheritdoc/>
    public int CountSteps(BenchContext context) => context.Plan.StorageRounds * (context.KindsOfPods.Count + 1);

    /// <inheritdoc/>
    public async Task RunAsync(BenchContext context, CancellationToken cancellationToken)
    {
        List<(Arm Arm, BenchPod Pod)> pods = [];
        try
        {
            foreach (Arm arm in context.KindsOfPods)
            {
                string folder = Path.Combine(arm.Directory, "volume");
                Directory.CreateDirectory(folder);
                BenchPod pod = new(arm, context.Registry.Image);
                pods.Add((arm, pod));
                await pod.StartWholeAsync(cancellationToken, new Mount { HostPath = folder, ContainerPath = "/volume" });
            }

            for (int round = 0; round < context.Plan.StorageRounds; round++)
            {
                string host = Path.Combine(context.Directory, "storage");
                await MeasureAsync(context, ArmNames.Host, "root", host, RunOnHostAsync, cancellationToken);
                context.Step();
                foreach ((Arm arm, BenchPod pod) in pods)
                {
                    async Task<string> RunAsync(string[] command)
                    {
                        (_, ExecSyncResponse reply) = await pod.ExecAsync(command, cancellationToken);
                        return reply.Stdout.ToStringUtf8() + reply.Stderr.ToStringUtf8();
                    }

                    await MeasureAsync(context, arm.Name, "root", "/bench", RunAsync, cancellationToken);
                    await MeasureAsync(context, arm.Name, "volume", "/volume/bench", RunAsync, cancellationToken);
                    context.Step();
                }
            }
        }
        finally
        {
            foreach ((_, BenchPod pod) in pods)
            {
                await pod.DisposeAsync();
            }
        }
    }

    private async Task MeasureAsync(BenchContext context, string arm, string place, string file, Func<string[], Task<string>> run, CancellationToken cancellationToken)
    {
        string count = string.Create(CultureInfo.InvariantCulture, $"bs=1M count={context.Plan.StorageMiB}");
        try
        {
            Add($"{place} write", await run(Timed($"dd if=/dev/zero of={file} {count} conv=fsync")));
            Add($"{place} read", await run(Timed($"dd if={file} of=/dev/null {count} iflag=direct")));
            await run(["rm", "-f", file]);
        }
        catch (Exception problem) when (problem is RpcException or BenchException && !cancellationToken.IsCancellationRequested)
        {
            context.Recorder.Fail(Name, arm, $"{place}: {problem.Message}");
        }

        void Add(string measure, string words)
        {
            Match match = Times().Match(words);
            double seconds = match.Success ? Seconds(match, "end") - Seconds(match, "begin") : throw new BenchException($"dd said: {words.Trim()}");
            context.Recorder.Add(Name, measure, arm, "MiB/s", context.Plan.StorageMiB / seconds);
        }
    }

    /// <summary>The command between two looks at the clock where it runs: what starting it costs is not the file system's.</summary>
    private static string[] Timed(string command) => ["sh", "-c", $"begin=$EPOCHREALTIME; {command} && end=$EPOCHREALTIME && echo \"took $begin $end\""];

    private static double Seconds(Match match, string group) => double.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    private static async Task<string> RunOnHostAsync(string[] command)
    {
        // The shell of Debian has no EPOCHREALTIME, bash and busybox have.
        BufferedCommandResult result = await Cli.Wrap(command[0] == "sh" ? "bash" : command[0]).WithArguments(command[1..])
            .WithEnvironmentVariables(static environment => environment.Set("LC_ALL", "C"))
            .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync();
        return result.StandardOutput + result.StandardError;
    }

    [GeneratedRegex(@"took (?<begin>[0-9.]+) (?<end>[0-9.]+)")]
    private static partial Regex Times();
}
