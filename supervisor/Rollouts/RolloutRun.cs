using System.Net;
using Vks.Supervisor.ControlPlane;
using Vks.Supervisor.Hosts;
using Vks.Supervisor.Operations;

namespace Vks.Supervisor.Rollouts;

/// <summary>
/// Makes a control plane that is there as its file says, one member at a time. It looks, does the one next step, and looks again; nothing is
/// remembered but the book, so a run that was killed anywhere is run again, and goes on.
/// </summary>
/// <param name="settings">What is wanted.</param>
/// <param name="folder">Where the book and the authorities are.</param>
/// <param name="reach">How to reach a host.</param>
/// <param name="etcd">etcd's members.</param>
/// <param name="kubelets">Asks the API server for nodes' versions, by name; null when it does not tell.</param>
/// <param name="tell">Takes a line for the person who waits.</param>
/// <param name="timing">How long to wait for things.</param>
/// <param name="time">The clock.</param>
internal sealed class RolloutRun(
    ControlPlaneSettings settings, StateFolder folder, Func<HostSettings, IMemberHost> reach, IEtcdMembers etcd, Func<CancellationToken, Task<IReadOnlyDictionary<string, string>?>> kubelets,
    Action<string> tell, RolloutTiming timing, TimeProvider time)
{
    /// <summary>Members say how they are once a second.</summary>
    private static readonly TimeSpan s_fresh = TimeSpan.FromSeconds(3);

    private readonly RolloutLook _look = new(settings, reach, etcd, time);
    private MemberBook _book = folder.Read()
        ?? throw new SupervisorException(SupervisorFault.Precondition, $"{folder.Path} has no control plane. Do: supervisor init -f");

    /// <summary>Does it.</summary>
    /// <param name="cancellationToken">Ends it; what was begun stays, and the next run goes on from there.</param>
    /// <exception cref="SupervisorException">
    /// <see cref="SupervisorFault.Precondition"/>: nothing was changed, with everything that is in the way; or it rests, for somebody said so.
    /// <see cref="SupervisorFault.ControlPlane"/>: it was stopped; a member that did not come to serve was taken away again.
    /// </exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        CheckSame();
        CheckPaused();
        Dictionary<string, AskedHost> hosts = await AskHostsAsync(cancellationToken);
        _look.Versions = hosts.ToDictionary(static host => host.Key, host => host.Value.Facts.Versions.GetValueOrDefault(ApiServer, ""), StringComparer.Ordinal);
        RolloutView view = await _look.LookAsync(_book, about: "", s_fresh, cancellationToken);
        RolloutStep first = RolloutPlan.Next(_look.Wish, view);
        if (first is RolloutStep.Done)
        {
            Save(_book with { Stopped = "" });
            tell($"{settings.Name}: is as the file says");
            return;
        }

        await CheckAsync(view, first, hosts, cancellationToken);
        Save(_book with { Stopped = "" });
        try
        {
            await GoAsync(undo: false, cancellationToken);
        }
        catch (StoppedException problem)
        {
            throw await StopAsync(problem, cancellationToken);
        }

        tell($"{settings.Name}: is as the file says now");
    }

    private string ApiServer => Path.Combine(settings.Programs, MemberPrograms.ApiServer);

    /// <summary>What all members and clients rest on cannot change while they run.</summary>
    private void CheckSame()
    {
        string[] fixedNames = ["cluster:", "link:", "prefix:", "floatingAddress:", "services:", "pods:"];
        HashSet<string> was = [.. _book.Members.SelectMany(static member => member.Settings.Split('\n')).Where(line => fixedNames.Any(name => line.StartsWith(name, StringComparison.Ordinal)))];
        HashSet<string> wanted = [.. ControlPlanePlan.Shared(settings).Split('\n').Where(line => fixedNames.Any(name => line.StartsWith(name, StringComparison.Ordinal)))];
        if (!was.SetEquals(wanted))
        {
            throw new SupervisorException(
                SupervisorFault.Precondition,
                $"the file says {string.Join(", ", wanted.Except(was).DefaultIfEmpty("nothing"))} where control plane {_book.Cluster} has {string.Join(", ", was.Except(wanted).DefaultIfEmpty("nothing"))}; "
                + "name, link and addresses stay as they were made. Nothing was changed. Do: put them back in the file; for others make a new control plane and restore a backup there");
        }
    }

    private void CheckPaused()
    {
        if (folder.IsPaused)
        {
            throw new SupervisorException(SupervisorFault.Precondition, $"the rolling replacement of {settings.Name} rests, for it was paused. Do: supervisor rollout resume -f, which goes on with it");
        }
    }

    private Dictionary<IPAddress, string> Free() =>
        _look.Wish.Places.Where(place => _book.Members.All(member => !member.Ip.Equals(place)))
            .ToDictionary(static place => place, place => place.Equals(settings.PatchAddress) ? "the patch address" : "a new member's");

    private async Task<Dictionary<string, AskedHost>> AskHostsAsync(CancellationToken cancellationToken)
    {
        string[] programs = [.. new[] { MemberPrograms.ApiServer, MemberPrograms.ControllerManager, MemberPrograms.Scheduler }.Select(program => Path.Combine(settings.Programs, program))];
        HostQuestion question = new(settings.Link, [.. Free().Keys], [], [settings.Etcd, .. programs, "ip", "perl", "setpriv", "setsid"], settings.Directory) { Versions = [ApiServer] };
        AskedHost[] answers = await Task.WhenAll(settings.Hosts.Select(host => reach(host).AskAsync(question, cancellationToken)));
        return settings.Hosts.Zip(answers).ToDictionary(static pair => pair.First.Name, static pair => pair.Second, StringComparer.Ordinal);
    }

    private async Task CheckAsync(RolloutView view, RolloutStep first, Dictionary<string, AskedHost> hosts, CancellationToken cancellationToken)
    {
        IReadOnlyList<Finding> findings = RolloutChecks.Judge(new RolloutFacts
        {
            Settings = settings, View = view, First = first, States = _look.States, Hosts = hosts, Kubelets = await kubelets(cancellationToken), Free = Free(),
        });
        foreach (Finding finding in findings.Where(static finding => !finding.Severe))
        {
            tell($"mind {finding.Check} on {finding.Host}: {finding.What}; fix: {finding.Fix}");
        }

        string[] severe = [.. findings.Where(static finding => finding.Severe).Select(static finding => $"{finding.Check}{(finding.Host.Length > 0 ? " " + finding.Host : "")}: {finding.What}; fix: {finding.Fix}")];
        if (severe.Length > 0)
        {
            throw new SupervisorException(SupervisorFault.Precondition, $"{settings.Name} cannot be made as the file says, nothing was changed:\n  {string.Join("\n  ", severe)}");
        }
    }

    /// <summary>Step after step.</summary>
    /// <param name="undo">Only until no member is leaving any more.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="StoppedException">A step cannot be done.</exception>
    private async Task GoAsync(bool undo, CancellationToken cancellationToken)
    {
        RolloutPatience patience = new(timing, time);
        bool waits = false;
        string member = "";
        while (!undo || _book.Members.Any(static booked => booked.Phase == MemberPhase.Leaving))
        {
            if (!undo)
            {
                CheckPaused();
            }

            string? notYet;
            try
            {
                RolloutView view = await _look.LookAsync(_book, member, waits ? TimeSpan.MaxValue : s_fresh, cancellationToken);
                RolloutStep step = RolloutPlan.Next(_look.Wish, view);
                if (step is RolloutStep.Done)
                {
                    return;
                }

                // What changes who has a vote is decided by what all say now.
                if (waits && step is not (RolloutStep.AwaitReady or RolloutStep.AwaitQuiet))
                {
                    waits = false;
                    continue;
                }

                member = step.Member;
                patience.About(member, _book.Members.FirstOrDefault(booked => booked.Name == member)?.Phase);
                notYet = await DoAsync(step, view, cancellationToken);
                patience.Answered();
            }
            catch (SupervisorException problem)
            {
                // Of etcd, which may be choosing a leader; or of a host, which may be busy.
                notYet = problem.Message;
                if (problem.Fault != SupervisorFault.ControlPlane && patience.Failed())
                {
                    throw new StoppedException(notYet, problem);
                }
            }

            waits = notYet is not null;
            if (notYet is null)
            {
                continue;
            }

            string about = member.Length > 0 ? member : settings.Name;
            if (patience.IsOver)
            {
                throw new StoppedException($"{about}: not within {patience.Limit.TotalMinutes:0.#} min: {notYet}", null);
            }

            if (patience.TellsNow(notYet))
            {
                tell($"{about}: waits: {notYet}");
            }

            await Task.Delay(timing.Poll, time, cancellationToken);
        }
    }

    /// <summary>Does one step.</summary>
    /// <returns>Null when it is done; else why not yet.</returns>
    private async Task<string?> DoAsync(RolloutStep step, RolloutView view, CancellationToken cancellationToken)
    {
        switch (step)
        {
            case RolloutStep.Reserve reserve:
                Save(_book with
                {
                    Next = _book.Next + 1,
                    Settled = false,
                    Members =
                    [
                        .. _book.Members,
                        new BookedMember
                        {
                            Name = reserve.Member, Host = reserve.Host, Address = reserve.Address.ToString(), Phase = MemberPhase.Joining, Settings = ControlPlanePlan.Shared(settings),
                            File = ControlPlanePlan.FileOf(settings, new PlannedMember(reserve.Member, reserve.Host, reserve.Address)),
                        },
                    ],
                });
                tell($"{reserve.Member}: comes on {reserve.Host.Name} at {reserve.Address}{(reserve.InPlaceOf.Length > 0 ? $", in place of {reserve.InPlaceOf}" : "")}");
                return null;
            case RolloutStep.AddLearner:
                return Told(await etcd.AddLearnerAsync(Booked(step).Ip, cancellationToken), $"{step.Member}: is a learner in etcd");
            case RolloutStep.Start:
                await StartAsync(Booked(step), view, cancellationToken);
                tell($"{step.Member}: has started");
                return null;
            case RolloutStep.Promote promote:
                return Told(await etcd.PromoteAsync(promote.Id, cancellationToken), $"{step.Member}: has caught up, and has a vote");
            case RolloutStep.AwaitReady:
                return _look.States.GetValueOrDefault(step.Member)?.Why is { Length: > 0 } why ? why : "it does not serve the API yet";
            case RolloutStep.Admit:
                Save(_book.With(step.Member, static member => member with { Phase = MemberPhase.Serving }));
                tell($"{step.Member}: serves the API");
                return null;
            case RolloutStep.Retire:
                Retire(step.Member);
                return null;
            case RolloutStep.Tell:
                return Told(await etcd.TellAsync(step.Member, cancellationToken), $"{step.Member}: is told to leave");
            case RolloutStep.AwaitQuiet:
                return "it still serves the API, or nobody else has the floating address yet";
            case RolloutStep.MoveLeader move:
                return Told(await etcd.MoveLeaderAsync(Booked(step).Ip, move.To, cancellationToken), $"{step.Member}: leads etcd no longer");
            case RolloutStep.RemoveFromEtcd remove:
                return Told(await etcd.RemoveAsync(remove.Id, cancellationToken), $"{step.Member}: is out of etcd");
            case RolloutStep.Stop:
                await reach(Booked(step).Host).StopAsync(Booked(step).File, cancellationToken);
                tell($"{step.Member}: has stopped");
                return null;
            case RolloutStep.Forget:
                await reach(Booked(step).Host).RemoveAsync(Booked(step).File, cancellationToken);
                return await StrikeAsync(step.Member, $"{step.Member}: is gone; {Booked(step).Address} is free", cancellationToken);
            case RolloutStep.Abandon:
                return await StrikeAsync(step.Member, $"{step.Member}: is no member any more; {Booked(step).Host.Name} was not reached, its files there are left", cancellationToken);
            case RolloutStep.Settle:
                await SettleAsync(cancellationToken);
                return null;
            case RolloutStep.Blocked blocked:
                return blocked.Why;
            default:
                throw new System.Diagnostics.UnreachableException($"{step}");
        }
    }

    private async Task StartAsync(BookedMember member, RolloutView view, CancellationToken cancellationToken)
    {
        // etcd starts for the first time only with a list of exactly those that it will find.
        MemberPeer[] peers = [.. _book.Members.Where(booked => view.Etcd.Members.Any(entry => entry.Address.Equals(booked.Ip))).Select(static booked => booked.Planned.Peer)];
        IMemberHost host = reach(member.Host);
        await MemberBringer.BringAsync(host, settings, folder.Pki, member.Planned, member.File, peers, join: true, cancellationToken);
        await host.StartAsync(member.File, cancellationToken);
    }

    private async Task<string?> StrikeAsync(string name, string said, CancellationToken cancellationToken)
    {
        if (await etcd.ForgetAsync(name, cancellationToken) is { } notYet)
        {
            return notYet;
        }

        Save(_book.With(name, static _ => null) with { Settled = false });
        tell(said);
        return null;
    }

    private async Task SettleAsync(CancellationToken cancellationToken)
    {
        foreach (BookedMember member in _book.Members)
        {
            // Once it has data nobody joins; and one that has lost its data must not come back as who it was.
            await MemberBringer.SettleAsync(reach(member.Host), settings, member.Planned, member.File, [.. _book.Members.Select(static other => other.Planned.Peer)], join: false, cancellationToken);
        }

        Save(_book with { Settled = true });
    }

    /// <summary>Writes down why it goes no further, and takes a member away that did not come to serve.</summary>
    private async Task<SupervisorException> StopAsync(StoppedException problem, CancellationToken cancellationToken)
    {
        Save(_book with { Stopped = problem.Message });
        string then = "What was done stays";
        if (_book.Members.FirstOrDefault(static member => member.Phase == MemberPhase.Joining) is { } joining)
        {
            Retire(joining.Name);
            try
            {
                await GoAsync(undo: true, cancellationToken);
                then = $"{joining.Name} was taken away again; all other members are as they were";
            }
            catch (Exception second) when (second is StoppedException or SupervisorException)
            {
                then = $"{joining.Name} could not be taken away again ({second.Message}); the next run begins with that";
            }
        }

        return new SupervisorException(
            SupervisorFault.ControlPlane, $"the rolling replacement of {settings.Name} was stopped: {problem.Message}. {then}. Do: mend that, then supervisor apply -f again", problem);
    }

    private void Retire(string name)
    {
        Save(_book.With(name, static member => member with { Phase = MemberPhase.Leaving }));
        tell($"{name}: leaves");
    }

    private string? Told(string? notYet, string said)
    {
        if (notYet is null)
        {
            tell(said);
        }

        return notYet;
    }

    private BookedMember Booked(RolloutStep step) => _book.Members.Single(member => member.Name == step.Member);

    private void Save(MemberBook book)
    {
        folder.Write(book);
        _book = book;
    }

    /// <summary>A step that cannot be done.</summary>
    private sealed class StoppedException(string message, Exception? cause) : Exception(message, cause);
}
