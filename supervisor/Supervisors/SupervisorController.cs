using System.Collections.Concurrent;
using k8s.Models;
using Vks.Supervisor.Kubernetes;

namespace Vks.Supervisor.Supervisors;

/// <summary>Fills the status of a Supervisor from what its members say, and forgets members that etcd has no more.</summary>
internal sealed class SupervisorController(ClusterView view, ApiClient api, EventRecorder events, TimeProvider time) : IController
{
    /// <summary>When each Lease was seen to be renewed, by this clock: those of hosts differ.</summary>
    private readonly ConcurrentDictionary<string, (DateTime Renewed, long Seen, TimeSpan Before)> _seen = [];

    /// <inheritdoc/>
    public string Name => "supervisor";

    /// <inheritdoc/>
    public async Task<TimeSpan?> ReconcileAsync(ObjectKey key, CancellationToken cancellationToken)
    {
        SupervisorObject? item = await api.FindAsync<SupervisorObject>(null, key.Name, cancellationToken);
        if (item is null || item.IsBeingRemoved)
        {
            return null;
        }

        SeenMember[] members = await ForgetRemovedAsync([.. Members(key.Name)], cancellationToken);
        SupervisorStatus? before = item.Status;
        SupervisorStatus status = SupervisorPlan.Status(item, members, time);
        if (await StatusWriter.WriteAsync<SupervisorObject, SupervisorSpec, SupervisorStatus>(api, item, status, cancellationToken))
        {
            await TellAsync(item, before, status, cancellationToken);
        }

        // Nobody reports that a member has fallen silent.
        return MemberReporter.Every;
    }

    private IEnumerable<(V1Lease Lease, SeenMember Member)> Members(string cluster)
    {
        foreach (V1Lease lease in view.MemberLeases.All.Where(lease => lease.Metadata.Labels?.TryGetValue(MemberReport.Mark, out string? of) == true && of == cluster))
        {
            if (MemberReport.From(lease) is { } report)
            {
                yield return (lease, new SeenMember(report, SilentFor(lease)));
            }
        }
    }

    private TimeSpan SilentFor(V1Lease lease)
    {
        DateTime renewed = lease.Spec?.RenewTime ?? default;
        long now = time.GetTimestamp();

        // Only the first look has to believe the other host's clock; from then on changes are timed by this one.
        TimeSpan first = time.GetUtcNow().UtcDateTime - renewed;
        (_, long seen, TimeSpan before) = _seen.AddOrUpdate(
            lease.Metadata.Name,
            _ => (renewed, now, first > TimeSpan.Zero ? first : TimeSpan.Zero),
            (_, known) => known.Renewed == renewed ? known : (renewed, now, TimeSpan.Zero));
        return before + time.GetElapsedTime(seen, now);
    }

    /// <summary>A member that was taken out, and not merely lost, is in no etcd's list any more.</summary>
    private async Task<SeenMember[]> ForgetRemovedAsync((V1Lease Lease, SeenMember Member)[] members, CancellationToken cancellationToken)
    {
        HashSet<string> known = [.. members.Where(static one => !one.Member.IsSilent && one.Member.Report.EtcdServes).SelectMany(static one => one.Member.Report.Members)];
        List<SeenMember> kept = [];
        foreach ((V1Lease lease, SeenMember member) in members)
        {
            if (known.Count > 0 && member.IsSilent && !known.Contains(member.Report.Name))
            {
                await api.DeleteAsync(lease, cancellationToken);
                _seen.TryRemove(lease.Metadata.Name, out _);
            }
            else
            {
                kept.Add(member);
            }
        }

        return [.. kept];
    }

    private async Task TellAsync(SupervisorObject item, SupervisorStatus? before, SupervisorStatus now, CancellationToken cancellationToken)
    {
        if (before?.Phase != now.Phase)
        {
            V1Condition ready = now.Conditions!.Single(static condition => condition.Type == SupervisorPlan.Ready);
            await events.TellAsync(item, now.Phase == "Error", $"Supervisor{now.Phase}", now.Phase == "Running" ? $"{now.ReadyMembers} members serve the API" : ready.Message, cancellationToken);
        }

        string? holder = now.FloatingAddress?.Holder;
        if (holder is not null && before?.FloatingAddress?.Holder is { } former && former != holder)
        {
            await events.TellAsync(item, false, "FloatingAddressMoved", $"From {former} to {holder}", cancellationToken);
        }

        foreach (MemberStatus member in now.Members!)
        {
            MemberStatus? was = before?.Members?.FirstOrDefault(known => known.Name == member.Name);
            if (was is not null && was.Phase != member.Phase)
            {
                await events.TellAsync(item, !member.Ready, $"Member{member.Phase}", $"{member.Name} on {member.Host}{(member.Message is null ? " serves the API" : ": " + member.Message)}", cancellationToken);
            }
        }
    }
}
