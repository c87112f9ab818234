using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using Spectre.Console;
using Vks.Spherelet.Cri.V1;
using Vks.Spherelet.Protos;

namespace Vks.Spherelet.Client;

/// <summary><c>spherelet demo</c>: pulls an image, runs it as a pod, fetches its page, execs into it and shows what a person wants to see.</summary>
internal static class DemoCommand
{
    private const string PodName = "demo";

    /// <summary>How long the demo's web server may take to answer.</summary>
    private static readonly TimeSpan s_pageTimeout = TimeSpan.FromSeconds(20);

    /// <summary>Runs the demo; the pod stays, so that it can be looked at.</summary>
    /// <param name="socketPath">The daemon's socket.</param>
    /// <param name="image">Image whose default command serves a page on port 80.</param>
    /// <param name="cancellationToken">Ends the waiting; what runs stays.</param>
    public static async Task RunAsync(string socketPath, string image, CancellationToken cancellationToken)
    {
        using CriClient client = new(socketPath);
        await DemoPod.RemoveLeftoversAsync(client, cancellationToken);
        DemoPod pod = new(client, image, PodName);

        await pod.PullAsync(cancellationToken);
        await pod.RunAsync([], cancellationToken);
        string address = await pod.GetAddressAsync(cancellationToken);
        (string page, TimeSpan pageTime) = await FetchAsync(address, cancellationToken);
        string[] command = ["sh", "-c", "uname -rn; ps; df -h / | tail -n 1"];
        ExecSyncResponse exec = await pod.ExecAsync(command, cancellationToken);
        ExecSyncResponse kernel = await client.Runtime.ExecSyncAsync(
            new ExecSyncRequest { ContainerId = pod.ContainerId, Cmd = { "uname", "-r" }, Timeout = 30 }, cancellationToken: cancellationToken);
        StatusResponse status = await client.Runtime.StatusAsync(new StatusRequest { Verbose = true }, cancellationToken: cancellationToken);

        Show(pod, address, page, pageTime, string.Join(' ', command), exec, kernel.Stdout.ToStringUtf8().Trim(), status, socketPath);
    }

    private static async Task<(string Page, TimeSpan Elapsed)> FetchAsync(string address, CancellationToken cancellationToken)
    {
        using HttpClient http = new();
        Uri uri = new($"http://{(address.Contains(':', StringComparison.Ordinal) ? $"[{address}]" : address)}/");
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                return (await http.GetStringAsync(uri, cancellationToken), Stopwatch.GetElapsedTime(start));
            }
            catch (HttpRequestException failure) when (failure.InnerException is SocketException && Stopwatch.GetElapsedTime(start) < s_pageTimeout)
            {
                // The server inside has not bound its port yet.
                await Task.Delay(TimeSpan.FromMilliseconds(20), cancellationToken);
            }
        }
    }

    private static void Show(
        DemoPod pod, string address, string page, TimeSpan pageTime, string command, ExecSyncResponse exec, string guestKernel, StatusResponse status, string socketPath)
    {
        IAnsiConsole console = AnsiConsole.Console;
        console.Write(new Rule("[bold]page from the pod[/]").LeftJustified());
        console.WriteLine(page.TrimEnd());
        console.Write(new Rule(Markup.Escape($"exec: {command}")).LeftJustified());
        console.WriteLine(exec.Stdout.ToStringUtf8().TrimEnd());
        if (exec.ExitCode != 0)
        {
            console.WriteLine($"exit code {exec.ExitCode}: {exec.Stderr.ToStringUtf8().TrimEnd()}");
        }

        Table facts = new() { Border = TableBorder.Rounded };
        facts.AddColumns("what", "value");
        facts.AddRow("pod address", address);
        facts.AddRow("kernel in the pod", guestKernel);
        facts.AddRow("kernel of the host", File.ReadAllText("/proc/sys/kernel/osrelease").Trim());
        facts.AddRow("accelerator", Markup.Escape(AcceleratorOf(status)));
        foreach ((string stage, TimeSpan elapsed) in pod.Stages)
        {
            facts.AddRow(stage, Milliseconds(elapsed));
        }

        facts.AddRow("first page", Milliseconds(pageTime));
        console.Write(facts);
        console.WriteLine($"""
            The pod keeps running. Go on with crictl:
              export CONTAINER_RUNTIME_ENDPOINT=unix://{socketPath}
              crictl pods                          crictl ps
              crictl exec -s {pod.ContainerId[..12]} uname -a
              crictl stopp {pod.PodId[..12]} && crictl rmp {pod.PodId[..12]}
              curl http://{address}/
            """);
    }

    /// <summary>What a verbose Status says of the accelerator; its first sentence is enough for a table.</summary>
    private static string AcceleratorOf(StatusResponse status)
    {
        using JsonDocument info = JsonDocument.Parse(status.Info.TryGetValue("info", out string? text) ? text : "{}");
        return info.RootElement.TryGetProperty("acceleratorReason", out JsonElement reason) ? reason.GetString()!.Split(". ")[0] : "not reported";
    }

    private static string Milliseconds(TimeSpan elapsed) => elapsed.TotalMilliseconds.ToString("F0", CultureInfo.InvariantCulture) + " ms";
}
