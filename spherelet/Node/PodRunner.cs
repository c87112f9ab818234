using Vks.Runtime.Machines;
using Vks.Spherelet.Images;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Node;

/// <summary>Runs one pod with one container from its image to its end, and removes it: the whole path without Kubernetes.</summary>
internal sealed class PodRunner(IImageStore images, PodService pods, ContainerService containers, PodTable table, CrxEngine engine)
{
    private const string LogName = "run.log";

    /// <summary>How long the last lines of output may take after the program's end.</summary>
    private static readonly TimeSpan s_lastLines = TimeSpan.FromSeconds(2);

    /// <summary>Runs it, with its output on <paramref name="output"/> and <paramref name="error"/>; the guest's console goes to the latter.</summary>
    /// <param name="request">What to run.</param>
    /// <param name="logDirectory">A directory of this run; removed at the end.</param>
    /// <param name="output">Gets the program's standard output.</param>
    /// <param name="error">Gets the program's standard error, and the console.</param>
    /// <param name="cancellationToken">Stops the pod; it is removed all the same.</param>
    /// <returns>The program's exit code.</returns>
    public async Task<int> RunAsync(RunRequest request, string logDirectory, TextWriter output, TextWriter error, CancellationToken cancellationToken)
    {
        string image = request.Pull ? await images.PullAsync(new ImagePullRequest { Reference = request.Image }, cancellationToken) : request.Image;
        string name = $"run-{Guid.NewGuid():N}"[..12];
        string podId = await pods.RunAsync(
            new PodConfig { Name = new PodName(name, "default", name, 0), Hostname = name, LogDirectory = logDirectory }, cancellationToken);
        try
        {
            using CancellationTokenSource finished = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            Task console = request.ShowConsole ? ShowConsoleAsync(podId, error, finished.Token) : Task.CompletedTask;
            string containerId = await containers.CreateAsync(
                podId,
                new ContainerConfig { Name = "main", Image = image, UserSpecifiedImage = request.Image, Command = request.Command, Env = request.Environment, LogPath = LogName },
                cancellationToken);
            await containers.StartAsync(containerId, cancellationToken);
            Container container = table.FindContainer(containerId);
            Task lines = LogPrinter.PrintAsync(Path.Combine(logDirectory, LogName), output, error, finished.Token);
            await container.Ended.WaitAsync(cancellationToken);
            finished.CancelAfter(s_lastLines);
            await WaitForOutputAsync(container, finished.Token);
            await finished.CancelAsync();
            await lines;
            await console;
            return container.Record.ExitCode;
        }
        finally
        {
            // Ctrl-C stops the pod, so the caller's token must not stop the stopping.
            await pods.RemoveAsync(podId, CancellationToken.None);
            if (Directory.Exists(logDirectory))
            {
                Directory.Delete(logDirectory, recursive: true);
            }
        }
    }

    private static async Task WaitForOutputAsync(Container container, CancellationToken cancellationToken)
    {
        try
        {
            // The log is complete within moments of the end; only a process left behind holds it open for longer.
            while (container.Log is { Position.Complete: false })
            {
                await Task.Delay(TimeSpan.FromMilliseconds(10), cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
            // What is there by now is what is shown.
        }
    }

    private async Task ShowConsoleAsync(string podId, TextWriter error, CancellationToken cancellationToken)
    {
        if (engine.Find(MachineId.Parse(podId)) is not { } machine)
        {
            return;
        }

        try
        {
            foreach (string line in machine.ConsoleTail)
            {
                await error.WriteLineAsync($"[guest] {line}".AsMemory(), cancellationToken);
            }

            await foreach (string line in machine.ReadConsoleAsync(cancellationToken))
            {
                await error.WriteLineAsync($"[guest] {line}".AsMemory(), cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
            // The run is over.
        }
    }
}
