using System.Globalization;
using System.Net;
using Vks.Supervisor.ControlPlane;

namespace Vks.Supervisor.Rollouts;

/// <summary>
/// From what is there to the next step towards what is wanted. Pure. One member comes or goes at a time, and the new one comes first; those
/// that serve keep a majority at every step; no two members ever have one address, or one host that takes but one.
/// </summary>
/// <remarks>
/// There are five addresses, of which members use at most four: so of three members one address is always spare, at first the patch address.
/// A new member gets the spare one and keeps it; that of the member that goes is the spare one then. Moving a member back to its predecessor's
/// address would mean another restart of etcd and of the API server, which, where there is one member, is an outage.
/// </remarks>
internal static class RolloutPlan
{
    /// <summary>The next step.</summary>
    /// <param name="wish">What is wanted.</param>
    /// <param name="view">What is there.</param>
    public static RolloutStep Next(RolloutWish wish, RolloutView view)
    {
        if (view.Etcd.Members.FirstOrDefault(entry => view.Members.All(member => !member.Address.Equals(entry.Address))) is { } stranger)
        {
            return new RolloutStep.Blocked(string.Create(
                CultureInfo.InvariantCulture, $"etcd has a member at {stranger.Address} that is in no book of ours. Do: find out who made it; etcdctl member remove {stranger.Id:x} takes it out"));
        }

        return view.Members.FirstOrDefault(static member => member.Phase == MemberPhase.Leaving) is { } leaving ? Leave(view, leaving)
            : view.Members.FirstOrDefault(static member => member.Phase == MemberPhase.Joining) is { } joining ? Join(wish, view, joining)
            : Choose(wish, view);
    }

    /// <summary>How many of a number of voters are a majority.</summary>
    /// <param name="voters">The number.</param>
    public static int Majority(int voters) => (voters / 2) + 1;

    private static RolloutStep Join(RolloutWish wish, RolloutView view, MemberView joining)
    {
        MemberView[] serving = Serving(view);
        if (!joining.IsWanted || (serving.Length >= wish.Replicas && serving.All(member => Fits(wish, view, member))))
        {
            return new RolloutStep.Retire(joining.Name);
        }

        EtcdEntry? entry = EntryOf(view, joining);
        MemberView[] voters = Voters(view);
        if (entry is null)
        {
            return Keeps(voters, voters.Length) ? new RolloutStep.AddLearner(joining.Name) : NoMajority(voters);
        }

        if (!joining.Runs)
        {
            return new RolloutStep.Start(joining.Name);
        }

        if (entry.IsLearner)
        {
            // With its vote a majority is one more, so those that are there must make it without the new one.
            return voters.Count(static voter => voter.EtcdServes) + 1 >= Majority(voters.Length + 1) ? new RolloutStep.Promote(joining.Name, entry.Id) : NoMajority(voters);
        }

        return joining.Ready ? new RolloutStep.Admit(joining.Name) : new RolloutStep.AwaitReady(joining.Name);
    }

    private static RolloutStep Leave(RolloutView view, MemberView leaving)
    {
        EtcdEntry? entry = EntryOf(view, leaving);
        if (entry is null)
        {
            return !leaving.Reachable && !leaving.HostIsWanted ? new RolloutStep.Abandon(leaving.Name)
                : leaving.Runs ? new RolloutStep.Stop(leaving.Name)
                : new RolloutStep.Forget(leaving.Name);
        }

        if (entry.IsLearner)
        {
            return new RolloutStep.RemoveFromEtcd(leaving.Name, entry.Id);
        }

        MemberView[] others = [.. Voters(view).Where(voter => voter != leaving)];
        if (!Keeps(others, others.Length))
        {
            return NoMajority(others);
        }

        if (!view.Etcd.Told.Contains(leaving.Name))
        {
            return others.Any(static other => other.Ready) ? new RolloutStep.Tell(leaving.Name)
                : new RolloutStep.Blocked($"{leaving.Name} cannot leave while no other member serves the API. Do: supervisor rollout status");
        }

        if (leaving.Ready || leaving.HasFloatingAddress)
        {
            return new RolloutStep.AwaitQuiet(leaving.Name);
        }

        return entry.Id == view.Etcd.Leader && others.FirstOrDefault(static other => other.EtcdServes) is { } heir
            ? new RolloutStep.MoveLeader(leaving.Name, EntryOf(view, heir)!.Id)
            : new RolloutStep.RemoveFromEtcd(leaving.Name, entry.Id);
    }

    private static RolloutStep Choose(RolloutWish wish, RolloutView view)
    {
        MemberView[] serving = Serving(view);

        // etcd takes nobody in while one of its members is away, so a member whose host was given up goes before another comes.
        MemberView? lost = serving.FirstOrDefault(static member => !member.Runs && !member.HostIsWanted);
        MemberView[] unfit = [.. serving.Where(member => !Fits(wish, view, member))];
        if (serving.FirstOrDefault(member => member != lost && !(member.Ready && member.EtcdServes)) is { } ill && (lost is not null || serving.Length != wish.Replicas || unfit.Length > 0))
        {
            return new RolloutStep.Blocked($"{ill.Name} on {ill.Host} does not serve; members are replaced only while all others do. Do: supervisor rollout status, then start it or mend it: supervisor member start; or take its host out of the file, if that is gone");
        }

        if (lost is not null || serving.Length > wish.Replicas)
        {
            MemberView goes = lost ?? First(serving, wish, view);
            MemberView[] others = [.. Voters(view).Where(voter => voter != goes)];
            return Keeps(others, others.Length) && others.Length > 0 ? new RolloutStep.Retire(goes.Name) : NoMajority(others);
        }

        if (serving.Length < wish.Replicas)
        {
            return Place(wish, view, inPlaceOf: null);
        }

        return unfit.Length > 0 ? Place(wish, view, First(unfit, wish, view))
            : !view.Settled ? new RolloutStep.Settle()
            : new RolloutStep.Done();
    }

    /// <summary>Who goes first: who is not as wanted, then who stands in the way of one in each zone, and who has the floating address last.</summary>
    private static MemberView First(IReadOnlyList<MemberView> candidates, RolloutWish wish, RolloutView view)
    {
        // In three zones the one that goes is of the zone that has two, or a zone would be without one.
        MemberView[] crowded = wish.OneInEachZone ? [.. candidates.Where(member => Serving(view).Count(other => other.Zone == member.Zone) > 1)] : [];
        return (crowded.Length > 0 ? crowded : candidates)
            .OrderBy(static member => member.IsWanted)
            .ThenBy(member => Fits(wish, view, member))
            .ThenBy(static member => member.Ready)
            .ThenBy(static member => member.HasFloatingAddress)
            .First();
    }

    private static RolloutStep Place(RolloutWish wish, RolloutView view, MemberView? inPlaceOf)
    {
        string[] zones = wish.OneInEachZone ? ZonesFor(wish, view, inPlaceOf) : [.. wish.Hosts.Select(static host => host.Host.Zone)];
        WishedHost? host = wish.Hosts
            .Where(host => zones.Contains(host.Host.Zone) && (host.TakesSeveral || view.Members.All(member => member.Host != host.Host.Name)))
            .MinBy(host => view.Members.Count(member => member.Host == host.Host.Name));
        if (host is null)
        {
            return new RolloutStep.Blocked(
                $"no host is free in {(wish.OneInEachZone ? "zone " + string.Join(", ", zones) : "any zone")} for a new member{(inPlaceOf is null ? "" : $" beside {inPlaceOf.Name}, which goes only when the new one serves")}; "
                + "members that are process groups need a host each. Do: name one more host there in the file");
        }

        IPAddress[] free = [.. wish.Places.Where(place => view.Members.All(member => !member.Address.Equals(place)))];
        if (free.Length == 0)
        {
            return new RolloutStep.Blocked("all four addresses of members are in use. Do: supervisor rollout status");
        }

        // Who comes in addition leaves the patch address to those who come in another's place.
        IPAddress address = inPlaceOf is not null && free.Contains(wish.Patch) ? wish.Patch : free[0];
        return new RolloutStep.Reserve(string.Create(CultureInfo.InvariantCulture, $"{wish.Cluster}-{view.Next}"), host.Host, address, inPlaceOf?.Name ?? "");
    }

    /// <summary>Zones without a member; or, when each has one, that of the member whose place is taken.</summary>
    private static string[] ZonesFor(RolloutWish wish, RolloutView view, MemberView? inPlaceOf)
    {
        string[] bare = [.. wish.Hosts.Select(static host => host.Host.Zone).Distinct().Where(zone => Serving(view).All(member => member.Zone != zone))];
        return bare.Length > 0 || inPlaceOf is null ? bare : [inPlaceOf.Zone];
    }

    /// <summary>Whether a member may stay: it is as wanted, and no older one of its zone has its place.</summary>
    private static bool Fits(RolloutWish wish, RolloutView view, MemberView member) =>
        member.IsWanted && (!wish.OneInEachZone || Serving(view).First(other => other.IsWanted && other.Zone == member.Zone) == member);

    private static bool Keeps(MemberView[] voters, int count) => count > 0 && voters.Count(static voter => voter.EtcdServes) >= Majority(count);

    private static RolloutStep.Blocked NoMajority(MemberView[] voters) => new(
        $"too few members' etcd would serve: {voters.Count(static voter => voter.EtcdServes)} of {voters.Length} do ({string.Join(", ", voters.Where(static voter => !voter.EtcdServes).Select(static voter => voter.Name + " does not"))}). Do: start or mend those first: supervisor rollout status");

    private static MemberView[] Serving(RolloutView view) => [.. view.Members.Where(static member => member.Phase == MemberPhase.Serving)];

    private static MemberView[] Voters(RolloutView view) => [.. view.Members.Where(member => EntryOf(view, member) is { IsLearner: false })];

    private static EtcdEntry? EntryOf(RolloutView view, MemberView member) => view.Etcd.Members.FirstOrDefault(entry => entry.Address.Equals(member.Address));
}
