using System.Text.Json;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Vks.Supervisor.Metrics;

/// <summary>Asks every node's kubelet for its summary, by way of the API server, again and again.</summary>
internal sealed partial class NodeSampler(IKubernetes client, UseTable table, MetricsOptions options, TimeProvider time, ILogger<NodeSampler> logger) : BackgroundService
{
    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using PeriodicTimer timer = new(options.Interval, time);
        do
        {
            try
            {
                V1NodeList nodes = await client.CoreV1.ListNodeAsync(cancellationToken: stoppingToken);
                string[] names = [.. nodes.Items.Select(static node => node.Name())];
                table.Keep(names.ToHashSet(StringComparer.Ordinal));
                await Task.WhenAll(names.Select(name => SampleAsync(name, stoppingToken)));
            }
            catch (Exception fault) when (fault is HttpOperationException or HttpRequestException or IOException)
            {
                NodesUnknown(fault.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task SampleAsync(string node, CancellationToken cancellationToken)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(options.Interval);
        try
        {
            await using Stream answer = await client.CoreV1.ConnectGetNodeProxyWithPathAsync(node, "stats/summary", cancellationToken: limit.Token);
            table.Put(node, KubeletSummary.Read(answer));
        }
        catch (Exception fault) when (fault is HttpOperationException or HttpRequestException or IOException or JsonException
            || (fault is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            NodeSilent(node, fault.Message);
        }
    }

    [LoggerMessage(4600, LogLevel.Warning, "The nodes could not be listed: {Reason}")]
    private partial void NodesUnknown(string reason);

    [LoggerMessage(4601, LogLevel.Warning, "The kubelet of node {Node} gave no summary: {Reason}")]
    private partial void NodeSilent(string node, string reason);
}
