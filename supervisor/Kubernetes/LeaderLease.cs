using System.Text.Json.Nodes;
using k8s.LeaderElection;
using k8s.LeaderElection.ResourceLock;
using k8s.Models;

namespace Vks.Supervisor.Kubernetes;

/// <summary>
/// Lets one of several Supervisors work: the holder of a Lease. One that was killed is followed after <see cref="Duration"/>; one that ends in order
/// gives the Lease back. A holder that was only paused may still send what it had begun: every write names the version it read, so it comes too late.
/// </summary>
internal sealed partial class LeaderLease(ApiClient api, string space, string name, string identity, TimeProvider time, ILogger logger)
{
    /// <summary>How long a silent holder keeps the Lease.</summary>
    public static readonly TimeSpan Duration = TimeSpan.FromSeconds(5);

    /// <summary>A holder that could not renew for this time stops working; shorter than <see cref="Duration"/>, so it stops before another starts.</summary>
    private static readonly TimeSpan s_renewLimit = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);

    /// <summary>Waits for the Lease, works, and waits again when it was lost, until cancelled.</summary>
    /// <param name="lead">The work; its token ends when the Lease is lost.</param>
    /// <param name="cancellationToken">Ends waiting and work, and gives the Lease back.</param>
    public async Task RunAsync(Func<CancellationToken, Task> lead, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await HoldAsync(lead, cancellationToken);
            }
            catch (Exception problem) when (!cancellationToken.IsCancellationRequested)
            {
                Interrupted(identity, problem.Message);
            }

            cancellationToken.ThrowIfCancellationRequested();
            await Task.Delay(s_pause, time, cancellationToken);
        }
    }

    private async Task HoldAsync(Func<CancellationToken, Task> lead, CancellationToken cancellationToken)
    {
        using CancellationTokenSource term = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        TaskCompletionSource started = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using LeaderElector elector = new(new LeaderElectionConfig(new LeaseLock(api.Package, space, name, identity))
        {
            LeaseDuration = Duration, RenewDeadline = s_renewLimit, RetryPeriod = s_pause,
        });
        elector.OnStartedLeading += () => started.TrySetResult();
        Task election = elector.RunUntilLeadershipLostAsync(term.Token);
        if (await Task.WhenAny(election, started.Task) == election)
        {
            await election;
            return;
        }

        Leads(identity);
        Task work = lead(term.Token);
        await Task.WhenAny(election, work);
        await term.CancelAsync();
        try
        {
            await work;
        }
        finally
        {
            await election.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            await GiveBackAsync();
            Follows(identity);
        }
    }

    // What the work's end means for others: nobody needs to wait for the Lease to run out.
    private async Task GiveBackAsync()
    {
        try
        {
            using CancellationTokenSource limit = new(s_renewLimit);
            if (await api.FindAsync<V1Lease>(space, name, limit.Token) is { } lease && lease.Spec.HolderIdentity == identity)
            {
                JsonObject patch = new()
                {
                    ["metadata"] = new JsonObject { ["resourceVersion"] = lease.Metadata.ResourceVersion },
                    ["spec"] = new JsonObject { ["holderIdentity"] = "" },
                };
                await api.MergeAsync<V1Lease>(space, name, patch, limit.Token);
            }
        }
        catch (Exception problem) when (problem is ApiException or OperationCanceledException)
        {
            // It runs out by itself.
            Interrupted(identity, problem.Message);
        }
    }

    [LoggerMessage(4204, LogLevel.Information, "{Identity} leads")]
    private partial void Leads(string identity);

    [LoggerMessage(4205, LogLevel.Information, "{Identity} no longer leads")]
    private partial void Follows(string identity);

    [LoggerMessage(4206, LogLevel.Warning, "The leader's Lease could not be had or kept by {Identity}: {Problem}")]
    private partial void Interrupted(string identity, string problem);
}
