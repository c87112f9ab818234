using System.Collections.Concurrent;
using System.Net;
using Vks.Supervisor.ControlPlane;
using Vks.Supervisor.Hosts;

namespace Vks.Supervisor.Rollouts;

/// <summary>Looks at a control plane: its members, by their hosts, and etcd.</summary>
/// <param name="settings">What is wanted.</param>
/// <param name="reach">How to reach a host.</param>
/// <param name="etcd">etcd's members.</param>
/// <param name="time">The clock.</param>
internal sealed class RolloutLook(ControlPlaneSettings settings, Func<HostSettings, IMemberHost> reach, IEtcdMembers etcd, TimeProvider time)
{
    private readonly string _shared = ControlPlanePlan.Shared(settings);
    private readonly ConcurrentDictionary<string, (bool Reachable, MemberState? State, long At)> _states = [];

    /// <summary>The version that members on each host are to run; hosts that have not been asked are left out.</summary>
    public IReadOnlyDictionary<string, string> Versions { get; set; } = new Dictionary<string, string>();

    /// <summary>What is wanted, as a plan has it.</summary>
    public RolloutWish Wish { get; } = new(
        settings.Name, settings.Replicas, [.. settings.Hosts.Select(host => new WishedHost(host, reach(host).TakesSeveral))], settings.Zones.Count == 3,
        [.. Enumerable.Range(0, 3).Select(step => Configuration.AddressRanges.Next(settings.FirstAddress, step)), settings.PatchAddress]);

    /// <summary>What members said when they were asked last.</summary>
    public IReadOnlyDictionary<string, MemberState> States =>
        _states.Where(static one => one.Value.State is not null).ToDictionary(static one => one.Key, static one => one.Value.State!, StringComparer.Ordinal);

    /// <summary>Looks.</summary>
    /// <param name="book">The members.</param>
    /// <param name="about">The member whose state is wanted anew in any case; empty for none.</param>
    /// <param name="age">How old what the others have said may be.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="SupervisorException">etcd does not answer.</exception>
    public async Task<RolloutView> LookAsync(MemberBook book, string about, TimeSpan age, CancellationToken cancellationToken)
    {
        await Task.WhenAll(book.Members.Where(member => member.Name == about || !_states.TryGetValue(member.Name, out (bool, MemberState?, long At) said) || time.GetElapsedTime(said.At) > age).Select(member => AskAsync(member, cancellationToken)));

        // Those that serve, the ready ones first: one that is coming or going may know less.
        IPAddress[] through = [.. book.Members.Where(static member => member.Phase == MemberPhase.Serving)
            .OrderByDescending(member => _states[member.Name].State?.Ready ?? false).Select(static member => member.Ip)];
        EtcdView view = await etcd.LookAsync(through, cancellationToken);
        return new RolloutView(book.Next, [.. book.Members.Select(member => View(member, view))], view, book.Settled);
    }

    private async Task AskAsync(BookedMember member, CancellationToken cancellationToken)
    {
        long asked = time.GetTimestamp();
        try
        {
            _states[member.Name] = (true, await reach(member.Host).StateAsync(member.File, cancellationToken), asked);
        }
        catch (SupervisorException problem) when (problem.Fault == SupervisorFault.Host)
        {
            _states[member.Name] = (false, null, asked);
        }
    }

    private MemberView View(BookedMember member, EtcdView view)
    {
        (bool reachable, MemberState? state, _) = _states[member.Name];
        HostSettings? host = settings.Hosts.FirstOrDefault(host => host.Name == member.Host.Name);
        string runs = state?.KubernetesVersion ?? "";
        string wanted = Versions.GetValueOrDefault(member.Host.Name, runs);
        return new MemberView
        {
            Name = member.Name,
            Host = member.Host.Name,
            Zone = (host ?? member.Host).Zone,
            Address = member.Ip,
            Phase = member.Phase,
            HostIsWanted = host is not null,
            IsWanted = host is not null && member.Settings == _shared && (runs.Length == 0 || runs == wanted),
            Reachable = reachable,
            Runs = state is not null,
            EtcdServes = state?.Etcd.Serves ?? false,
            Ready = state?.Ready ?? false,
            HasFloatingAddress = (state?.HasFloatingAddress ?? false) || view.Holder == member.Name,
        };
    }
}
