using System.Net;
using Vks.Supervisor.Configuration;
using Vks.Supervisor.Hosts;
using Vks.Supervisor.Operations;
using Vks.Supervisor.Pki;

namespace Vks.Supervisor.ControlPlane;

/// <summary>Brings a control plane up on bare hosts. Each step looks at what is there first, so an interrupted run is run again, and goes on.</summary>
/// <param name="settings">What is wanted.</param>
/// <param name="folder">Where the authorities, the book of members and the admin's kubeconfig are kept.</param>
/// <param name="reach">How to reach a host.</param>
/// <param name="tell">Takes a line for the person who waits.</param>
/// <param name="time">The clock.</param>
internal sealed class ControlPlaneInit(ControlPlaneSettings settings, StateFolder folder, Func<HostSettings, IMemberHost> reach, Action<string> tell, TimeProvider time)
{
    private static readonly TimeSpan s_ready = TimeSpan.FromMinutes(5);

    /// <summary>Machines boot first, and under software emulation all in them takes some ten times as long.</summary>
    private static readonly TimeSpan s_machinesReady = TimeSpan.FromMinutes(20);

    private readonly MemberBook _book = folder.Read() ?? MemberBook.First(settings);

    private IReadOnlyList<PlannedMember> Members => [.. _book.Members.Select(static member => member.Planned)];

    /// <summary>Does it.</summary>
    /// <param name="cancellationToken">Ends it; what was begun stays, and the next run goes on from there.</param>
    /// <returns>The admin's kubeconfig.</returns>
    /// <exception cref="SupervisorException">Preflight found something severe, with everything that it found: nothing was changed. Or a host or member failed: run it again.</exception>
    public async Task<string> RunAsync(CancellationToken cancellationToken)
    {
        CheckBook();
        Dictionary<string, MemberState?> states = [];
        foreach (PlannedMember member in Members)
        {
            states[member.Name] = await Host(member).StateAsync(File(member), cancellationToken);
        }

        await PreflightAsync(states, cancellationToken);
        folder.Write(_book);
        AuthorityFiles.Ensure(folder.Pki, settings.Name, time.GetUtcNow());
        foreach (PlannedMember member in Members.Where(member => states[member.Name] is null))
        {
            await BringAsync(member, cancellationToken);
            tell($"{member.Name}: starts on {member.Host.Name} at {member.Address}");
        }

        await ReadyAsync(cancellationToken);
        return folder.WriteKubeconfig(settings, time);
    }

    /// <summary>Whether a control plane has the members that its file wants, whether they run or not.</summary>
    /// <param name="book">Its members.</param>
    /// <param name="settings">The file.</param>
    public static bool Made(MemberBook book, ControlPlaneSettings settings) =>
        book.Members.Count == settings.Replicas
        && book.Members.All(member => member.Phase == MemberPhase.Serving && member.Settings == ControlPlanePlan.Shared(settings) && settings.Hosts.Any(host => host.Name == member.Host.Name));

    /// <summary>Members that were made are as they were made: another size, other programs or another number are apply's.</summary>
    private void CheckBook()
    {
        if (_book.Members.FirstOrDefault(static member => member.Phase != MemberPhase.Serving) is { } under)
        {
            throw new SupervisorException(SupervisorFault.Precondition, $"member {under.Name} is {(under.Phase == MemberPhase.Joining ? "joining" : "leaving")}, a rolling replacement is under way. Do: supervisor apply -f, which goes on with it");
        }

        if (!Made(_book, settings))
        {
            throw new SupervisorException(
                SupervisorFault.Precondition, $"control plane {settings.Name} is there, and not as the file says; init does not change what it has made. Do: supervisor apply -f, which replaces members one at a time");
        }
    }

    private IMemberHost Host(PlannedMember member) => reach(member.Host);

    private string File(PlannedMember member) => _book.Members.Single(booked => booked.Name == member.Name).File;

    private async Task PreflightAsync(Dictionary<string, MemberState?> states, CancellationToken cancellationToken)
    {
        // What members of ours have already is as it should be.
        Dictionary<IPAddress, string> addresses = Members.Where(member => states[member.Name] is null).ToDictionary(static member => member.Address, static member => $"member {member.Name}");
        addresses.TryAdd(settings.PatchAddress, "the patch address");
        if (states.Values.All(static state => state is null))
        {
            addresses[settings.FloatingAddress] = "the floating address";
            foreach (int step in Enumerable.Range(0, 3))
            {
                addresses.TryAdd(AddressRanges.Next(settings.FirstAddress, step), "a member's, later");
            }
        }

        HostQuestion question = new(
            settings.Link, [.. addresses.Keys], [],
            [
                settings.Etcd, .. new[] { MemberPrograms.ApiServer, MemberPrograms.ControllerManager, MemberPrograms.Scheduler }.Select(program => Path.Combine(settings.Programs, program)),
                "ip", "perl", "setpriv", "setsid",
            ],
            settings.Directory);
        Dictionary<string, AskedHost> answers = new(StringComparer.Ordinal);
        foreach (PlannedMember member in Members)
        {
            answers[member.Host.Name] = await Host(member).AskAsync(question, cancellationToken);
        }

        // Hosts of a control plane that is there may well have routes to its pods.
        List<(string, IPNetwork)> ranges = states.Values.Any(static state => state is not null) ? [] : [("services", settings.Services), .. settings.Pods is { } pods ? [("pods", pods)] : Array.Empty<(string, IPNetwork)>()];
        IReadOnlyList<Finding> findings = PreflightRules.Judge(
            new PreflightPlan(AddressRanges.NetworkOf(settings.FirstAddress, settings.Prefix), settings.Link, addresses, ranges), answers);
        foreach (Finding finding in findings.Where(static finding => !finding.Severe))
        {
            tell($"mind {finding.Check} on {finding.Host}: {finding.What}; fix: {finding.Fix}");
        }

        // Hosts of one name are a trouble of nodes; members are told apart by their own names.
        string[] severe = [.. findings.Where(static finding => finding.Severe && finding.Check != "hostname").Select(static finding => $"{finding.Check} {finding.Host}: {finding.What}; fix: {finding.Fix}")];
        if (severe.Length > 0)
        {
            throw new SupervisorException(SupervisorFault.Precondition, $"the hosts are not fit for a control plane, nothing was changed:\n  {string.Join("\n  ", severe)}");
        }
    }

    private async Task BringAsync(PlannedMember member, CancellationToken cancellationToken)
    {
        await MemberBringer.BringAsync(Host(member), settings, folder.Pki, member, File(member), [.. Members.Select(static other => other.Peer)], join: false, cancellationToken);
        await Host(member).StartAsync(File(member), cancellationToken);
    }

    private async Task ReadyAsync(CancellationToken cancellationToken)
    {
        long begin = time.GetTimestamp();
        TimeSpan limit = settings.Hosts.Any(static host => host.HasMachines) ? s_machinesReady : s_ready;
        HashSet<string> told = [];
        while (true)
        {
            Dictionary<string, MemberState?> states = [];
            foreach (PlannedMember member in Members)
            {
                MemberState? state = states[member.Name] = await Host(member).StateAsync(File(member), cancellationToken);
                if (state is { Ready: true } && told.Add(member.Name))
                {
                    tell($"{member.Name}: serves the API");
                }
            }

            if (states.Values.All(static state => state is { Ready: true }) && states.Values.Count(static state => state!.HasFloatingAddress) == 1)
            {
                tell($"{settings.FloatingAddress}: with {states.Single(static state => state.Value!.HasFloatingAddress).Key}");
                return;
            }

            if (time.GetElapsedTime(begin) > limit)
            {
                string why = string.Join("; ", states.Select(static state => $"{state.Key}: {(state.Value is null ? "does not run" : state.Value.Ready ? "serves the API" : state.Value.Why + ", etcd: " + state.Value.Etcd.Problem)}"));
                throw new SupervisorException(SupervisorFault.ControlPlane, $"control plane {settings.Name} is not ready after {limit.TotalMinutes:0} min: {why}. Do: look at the logs in {settings.Directory}/*/log of the hosts, and run this again");
            }

            // In a machine each question costs some of the time that its programs need to start.
            await Task.Delay(limit == s_machinesReady ? TimeSpan.FromSeconds(3) : TimeSpan.FromMilliseconds(500), time, cancellationToken);
        }
    }
}
