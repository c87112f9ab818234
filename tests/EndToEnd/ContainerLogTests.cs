using System.Diagnostics;
using System.Globalization;
using Vks.Spherelet.Cri.V1;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>Logs of real containers: much output, rotated while it comes, beside another pod.</summary>
[Collection(NodeCollection.Name)]
public sealed class ContainerLogTests(NodeLab lab)
{
    private const int Lines = 150_000;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Much_output_loses_no_line_while_its_log_is_rotated_and_stalls_no_other_pod()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        await using PodUnderTest other = await PodUnderTest.RunAsync(lab, Token);
        string bystander = await other.StartAsync(Token, "sleep", "1000");
        string path = Path.Combine(pod.LogDirectory, "c0", "0.log");

        string writer = await pod.StartAsync(Token, "sh", "-c", string.Create(CultureInfo.InvariantCulture, $"seq 1 {Lines} >&2 & seq 1 {Lines}; wait"));
        int rotations = 0;
        while ((await pod.ContainerStatusAsync(writer, Token)).State == ContainerState.ContainerRunning && rotations < 50)
        {
            File.Move(path, $"{path}.{rotations++:D4}");
            if (!await ReopenAsync(writer))
            {
                break;
            }

            long began = Stopwatch.GetTimestamp();
            Assert.Equal("hello\n", await other.ExecAsync(bystander, Token, "echo", "hello"));
            Assert.True(Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(15), "the other pod was held up");
        }

        ContainerStatus status = await pod.WaitExitedAsync(writer, TimeSpan.FromSeconds(120), Token);
        Assert.Equal(0, status.ExitCode);
        Assert.True(rotations > 1, "the container ended before its log was rotated twice");
        string[] files = [.. Directory.GetFiles(Path.GetDirectoryName(path)!, "0.log*").OrderBy(file => file == path ? 1 : 0).ThenBy(file => file, StringComparer.Ordinal)];
        string[] expected = [.. Enumerable.Range(1, Lines).Select(number => number.ToString(CultureInfo.InvariantCulture))];
        foreach (string stream in (string[])["stdout", "stderr"])
        {
            string[] got = [];
            await Eventually.TrueAsync(
                () =>
                {
                    got = [.. files.SelectMany(File.ReadAllLines).Select(line => line.Split(' ')).Where(parts => parts[1] == stream && parts[2] == "F").Select(parts => parts[3])];
                    return Task.FromResult(got.Length >= Lines);
                },
                TimeSpan.FromSeconds(20), () => $"{got.Length} lines of {stream} in {files.Length} files", Token);
            Assert.Equal(expected, got);
        }
    }

    /// <returns>False: the container has ended in this moment.</returns>
    private async Task<bool> ReopenAsync(string container)
    {
        try
        {
            await lab.Cri.Runtime.ReopenContainerLogAsync(new ReopenContainerLogRequest { ContainerId = container }, cancellationToken: Token);
            return true;
        }
        catch (Grpc.Core.RpcException ended) when (ended.StatusCode == Grpc.Core.StatusCode.FailedPrecondition)
        {
            return false;
        }
    }
}
