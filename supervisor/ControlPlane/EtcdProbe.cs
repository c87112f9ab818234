using Etcdserverpb;
using Google.Protobuf;
using Grpc.Core;
using Vks.Supervisor.Etcd;

namespace Vks.Supervisor.ControlPlane;

/// <summary>Asks this member's own etcd how it is: every second until it serves, then every other.</summary>
/// <param name="etcd">The connection.</param>
/// <param name="time">The clock.</param>
internal sealed class EtcdProbe(EtcdConnection etcd, TimeProvider time)
{
    private static readonly TimeSpan s_everyInStart = TimeSpan.FromSeconds(1);

    /// <summary>Each time is three calls; in an emulated machine a tenth of what it can do in a second.</summary>
    private static readonly TimeSpan s_every = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(2);
    private static readonly ByteString s_anyKey = ByteString.CopyFromUtf8("/supervisor.vks.dev/health");

    private readonly long _begin = time.GetTimestamp();
    private readonly HealthJudge _serves = new(TimeSpan.FromSeconds(6));
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private EtcdState _state = new(Serves: false, IsLeader: false, Version: "", DatabaseBytes: 0, Problem: "not looked at yet", Members: []);

    /// <summary>Completes when it served for the first time: it is one of a majority.</summary>
    public Task FirstServes => _first.Task;

    /// <summary>How it is.</summary>
    public EtcdState State => Volatile.Read(ref _state) with { Serves = _serves.IsHealthy(time.GetElapsedTime(_begin)) };

    /// <summary>Probes until it is told to stop.</summary>
    /// <param name="stop">Tells it to stop.</param>
    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await ProbeAsync(stop);
                await Task.Delay(_first.Task.IsCompleted ? s_every : s_everyInStart, time, stop);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
        }
    }

    private async Task ProbeAsync(CancellationToken stop)
    {
        TimeSpan asked = time.GetElapsedTime(_begin);
        try
        {
            // A read of what the majority has: it fails where a mere sign of life does not.
            await etcd.Kv.RangeAsync(new RangeRequest { Key = s_anyKey }, deadline: Deadline(), cancellationToken: stop);
            StatusResponse status = await etcd.Maintenance.StatusAsync(new StatusRequest(), deadline: Deadline(), cancellationToken: stop);
            MemberListResponse members = await etcd.Cluster.MemberListAsync(new MemberListRequest(), deadline: Deadline(), cancellationToken: stop);
            string[] names = [.. members.Members.Select(static member => member.Name).Where(static name => name.Length > 0).Order(StringComparer.Ordinal)];
            Volatile.Write(ref _state, new EtcdState(true, status.Leader == status.Header.MemberId, status.Version, status.DbSize, string.Join("; ", status.Errors), names)
            {
                // One that has a vote and no name yet was added and has not started; it will.
                IsOnlyVoter = members.Members.Where(static member => !member.IsLearner).All(member => member.ID == status.Header.MemberId),
            });
            _serves.Good(asked);
            _first.TrySetResult();
        }
        catch (RpcException problem)
        {
            stop.ThrowIfCancellationRequested();
            _serves.Bad(time.GetElapsedTime(_begin), problem.Status.Detail);
            if (!State.Serves)
            {
                // One answer that did not come is no news.
                Volatile.Write(ref _state, State with { IsLeader = false, Problem = $"{problem.StatusCode}: {problem.Status.Detail}" });
            }
        }
    }

    private DateTime Deadline() => (time.GetUtcNow() + s_answer).UtcDateTime;
}
