using System.Globalization;
using System.Net;
using CsCheck;
using Vks.Supervisor.ControlPlane;
using Vks.Supervisor.Hosts;
using Vks.Supervisor.Rollouts;

namespace Vks.Tests.Supervisor.Rollouts;

/// <summary>Any control plane, whatever has been begun with it and whichever members come and go: the plan leads to what is wanted, and over nothing that must not be.</summary>
public sealed class RolloutPlanTests
{
    private static readonly IPAddress[] s_places = [.. Enumerable.Range(11, 3).Append(15).Select(static last => IPAddress.Parse($"10.0.0.{last}"))];

    [Fact]
    public void From_any_state_the_wanted_one_is_reached_with_a_majority_at_every_step_and_no_address_or_host_twice() =>
        Gen.Int.Sample(static seed => new Model(seed).Run(), iter: 3000);

    [Fact]
    public void The_member_with_the_floating_address_goes_last_and_the_new_one_comes_on_the_patch_address()
    {
        RolloutWish wish = new("demo", 3, Hosts(4, zones: 1), false, s_places);
        RolloutView view = new(4, [.. Enumerable.Range(1, 3).Select(number => Member(number) with { IsWanted = false, HasFloatingAddress = number == 1 })], Etcd(3), true);

        RolloutStep.Reserve reserve = Assert.IsType<RolloutStep.Reserve>(RolloutPlan.Next(wish, view));
        RolloutView more = view with { Members = [.. view.Members, Member(4) with { Address = reserve.Address, Host = reserve.Host.Name }], Etcd = Etcd(4) };
        RolloutStep.Retire retire = Assert.IsType<RolloutStep.Retire>(RolloutPlan.Next(wish, more));

        Assert.Equal(("10.0.0.15", "host-4", "demo-2"), (reserve.Address.ToString(), reserve.Host.Name, reserve.InPlaceOf));
        Assert.Equal("demo-2", retire.Member);
    }

    [Fact]
    public void Three_zones_have_a_member_each_again_after_a_replacement_and_without_a_second_host_it_is_refused()
    {
        RolloutView view = new(4, [.. Enumerable.Range(1, 3).Select(static number => Member(number) with { IsWanted = false, HasFloatingAddress = number == 1, Zone = $"zone-{number}" })], Etcd(3), true);

        RolloutStep.Reserve reserve = Assert.IsType<RolloutStep.Reserve>(RolloutPlan.Next(new RolloutWish("demo", 3, Hosts(6, zones: 3), true, s_places), view));
        RolloutStep.Blocked blocked = Assert.IsType<RolloutStep.Blocked>(RolloutPlan.Next(new RolloutWish("demo", 3, Hosts(3, zones: 3), true, s_places), view));

        Assert.Equal(("host-5", "zone-2"), (reserve.Host.Name, reserve.Host.Zone));
        Assert.Contains("no host is free in zone zone-2", blocked.Why, StringComparison.Ordinal);
        Assert.Contains("name one more host there", blocked.Why, StringComparison.Ordinal);
    }

    [Fact]
    public void A_member_of_etcd_that_nobody_knows_stops_everything()
    {
        RolloutView view = new(4, [Member(1)], Etcd(2), true);

        Assert.Contains("etcdctl member remove 2", Assert.IsType<RolloutStep.Blocked>(RolloutPlan.Next(new RolloutWish("demo", 1, Hosts(2, zones: 1), false, s_places), view)).Why, StringComparison.Ordinal);
    }

    private static IReadOnlyList<WishedHost> Hosts(int count, int zones) =>
        [.. Enumerable.Range(0, count).Select(index => new WishedHost(new HostSettings($"host-{index + 1}", $"zone-{(index % zones) + 1}", []), false))];

    private static EtcdView Etcd(int count) => new(
        [.. Enumerable.Range(0, count).Select(static index => new EtcdEntry((ulong)index + 1, s_places[index], false))], 1, new HashSet<string>(), "demo-1");

    private static MemberView Member(int number) => new()
    {
        Name = string.Create(CultureInfo.InvariantCulture, $"demo-{number}"), Host = $"host-{number}", Zone = "zone-1", Address = s_places[number - 1], Phase = MemberPhase.Serving,
        IsWanted = true, HostIsWanted = true, Reachable = true, Runs = true, EtcdServes = true, Ready = true, HasFloatingAddress = false,
    };

    /// <summary>One control plane of any kind, on which the plan's steps have their effects, while members fail and come back.</summary>
    private sealed class Model
    {
        private readonly Random _random;
        private readonly RolloutWish _wish;
        private readonly List<MemberView> _members = [];
        private readonly List<EtcdEntry> _etcd = [];
        private readonly HashSet<string> _told = [];
        private readonly List<string> _steps = [];
        private ulong _leader;
        private ulong _nextId = 1;
        private int _next = 1;
        private bool _settled;

        public Model(int seed)
        {
            _random = new Random(seed);
            bool zones = _random.Next(2) == 0;
            int replicas = zones || _random.Next(2) == 0 ? 3 : 1;
            _wish = new RolloutWish("demo", replicas, Hosts(zones ? 6 : 4, zones ? 3 : 1), zones, s_places);
            int count = zones || _random.Next(3) > 0 ? 3 : 1;
            HostSettings[] hosts = [.. _wish.Hosts.Select(static host => host.Host)];
            foreach (IPAddress address in s_places.OrderBy(_ => _random.Next()).Take(count).ToArray())
            {
                HostSettings host = hosts.Where(host => _members.All(member => member.Host != host.Name && (!zones || member.Zone != host.Zone))).MinBy(_ => _random.Next())!;
                Add(host, address, MemberPhase.Serving, _random.Next(2) == 0);
                _etcd.Add(new EtcdEntry(_nextId++, address, false));
            }

            Begun(hosts);
            Elect();
        }

        /// <summary>Something that an earlier run had begun: a member that came or went, at any point of it.</summary>
        private void Begun(HostSettings[] hosts)
        {
            if (_random.Next(2) == 0)
            {
                return;
            }

            HostSettings? host = hosts.Where(host => _members.All(member => member.Host != host.Name)).MinBy(_ => _random.Next());
            IPAddress address = s_places.First(place => _members.All(member => !member.Address.Equals(place)));
            int point = _random.Next(5);
            MemberView begun = Add(host!, address, _random.Next(2) == 0 ? MemberPhase.Joining : MemberPhase.Leaving, _random.Next(2) == 0);
            if (point > 0)
            {
                _etcd.Add(new EtcdEntry(_nextId++, address, IsLearner: point < 3));
            }

            Change(begun.Name, member => member with { Runs = point > 1 });
            if (begun.Phase == MemberPhase.Leaving && _random.Next(2) == 0)
            {
                _told.Add(begun.Name);
            }
        }

        public void Run()
        {
            string? down = null;
            for (var turn = 0; turn < 400; turn++)
            {
                // One member at a time may fail, and comes back after some turns.
                if (turn < 200 && down is null && _random.Next(20) == 0 && _members.Count > 2)
                {
                    down = _members.Where(static member => member.Runs && member.Phase == MemberPhase.Serving).MinBy(_ => _random.Next())?.Name;
                    Fail(down, runs: false);
                }
                else if (down is not null && (turn >= 200 || _random.Next(4) == 0))
                {
                    Fail(down, runs: true);
                    down = null;
                }

                bool served = Voting();
                RolloutStep step = RolloutPlan.Next(_wish, View());
                _steps.Add($"{step}");
                if (step is RolloutStep.Done)
                {
                    CheckEnd();
                    return;
                }

                // What etcd itself refuses while a member is away is no step of the plan's.
                Do(step);
                Elect();
                True(!served || Voting(), "the majority is lost");
                True(_members.Select(static member => member.Address).Distinct().Count() == _members.Count, "an address is given twice");
                True(_members.Select(static member => member.Host).Distinct().Count() == _members.Count, "a host is given twice");
                True(_members.Count(static member => member.Phase != MemberPhase.Serving) <= 1, "two members come or go at once");
            }

            True(false, "no end");
        }

        private void Fail(string? name, bool runs)
        {
            if (name is not null)
            {
                Change(name, member => member with { Runs = runs });
                Elect();
            }
        }

        private RolloutView View()
        {
            string? holder = _members.FirstOrDefault(member => Ready(member))?.Name;
            return new RolloutView(
                _next,
                [.. _members.Select(member => member with { EtcdServes = Votes(member) && member.Runs && Voting(), Ready = Ready(member), HasFloatingAddress = member.Name == holder })],
                new EtcdView([.. _etcd], _leader, _told.ToHashSet(), holder), _settled);
        }

        private bool Ready(MemberView member) => member.Runs && Votes(member) && Voting() && !_told.Contains(member.Name);

        private bool Votes(MemberView member) => _etcd.Any(entry => entry.Address.Equals(member.Address) && !entry.IsLearner);

        private bool Voting()
        {
            int voters = _etcd.Count(static entry => !entry.IsLearner);
            return _members.Count(member => member.Runs && Votes(member)) >= RolloutPlan.Majority(voters);
        }

        private void Do(RolloutStep step)
        {
            switch (step)
            {
                case RolloutStep.Reserve reserve:
                    True(_members.Count < 4, "a fifth member");
                    Add(reserve.Host, reserve.Address, MemberPhase.Joining, wanted: true, runs: false);
                    _settled = false;
                    break;
                case RolloutStep.AddLearner:
                    if (_members.Where(Votes).All(static member => member.Runs))
                    {
                        _etcd.Add(new EtcdEntry(_nextId++, Of(step).Address, IsLearner: true));
                    }

                    break;
                case RolloutStep.Start:
                    Change(step.Member, static member => member with { Runs = true });
                    break;
                case RolloutStep.Promote promote:
                    _etcd[_etcd.FindIndex(entry => entry.Id == promote.Id)] = _etcd.Single(entry => entry.Id == promote.Id) with { IsLearner = false };
                    break;
                case RolloutStep.Admit:
                    True(Ready(Of(step)), "a member is admitted that does not serve");
                    Change(step.Member, static member => member with { Phase = MemberPhase.Serving });
                    break;
                case RolloutStep.Retire:
                    Change(step.Member, static member => member with { Phase = MemberPhase.Leaving });
                    break;
                case RolloutStep.Tell:
                    True(_members.Any(member => member.Name != step.Member && Ready(member)), "the last that serves is told to leave");
                    _told.Add(step.Member);
                    break;
                case RolloutStep.MoveLeader move:
                    _leader = move.To;
                    break;
                case RolloutStep.RemoveFromEtcd remove:
                    True(!Ready(Of(step)) && _leader != remove.Id, "a member is taken out while it serves or leads");
                    _etcd.RemoveAll(entry => entry.Id == remove.Id);
                    break;
                case RolloutStep.Stop:
                    True(_etcd.All(entry => !entry.Address.Equals(Of(step).Address)), "a member is stopped while it is in etcd");
                    Change(step.Member, static member => member with { Runs = false });
                    break;
                case RolloutStep.Forget or RolloutStep.Abandon:
                    True(!Of(step).Runs, "a member is forgotten that runs");
                    _told.Remove(step.Member);
                    _members.RemoveAll(member => member.Name == step.Member);
                    _settled = false;
                    break;
                case RolloutStep.Settle:
                    _settled = true;
                    break;
            }
        }

        private void CheckEnd()
        {
            True(_members.Count == _wish.Replicas, "another number than is wanted");
            True(_members.All(member => member is { IsWanted: true, Phase: MemberPhase.Serving }), "a member that is not as wanted");
            True(!_wish.OneInEachZone || _members.Select(static member => member.Zone).Distinct().Count() == 3, "a zone without a member");
            True(_etcd.Count == _members.Count && _etcd.All(entry => !entry.IsLearner && _members.Any(member => member.Address.Equals(entry.Address))), "etcd has others");
            True(_told.Count == 0 && _settled, "something is left");
        }

        private MemberView Add(HostSettings host, IPAddress address, MemberPhase phase, bool wanted, bool runs = true)
        {
            MemberView member = new()
            {
                Name = string.Create(CultureInfo.InvariantCulture, $"demo-{_next++}"), Host = host.Name, Zone = host.Zone, Address = address, Phase = phase, IsWanted = wanted,
                HostIsWanted = true, Reachable = true, Runs = runs, EtcdServes = false, Ready = false, HasFloatingAddress = false,
            };
            _members.Add(member);
            return member;
        }

        private void Elect()
        {
            if (!_members.Any(member => member.Runs && _etcd.Any(entry => entry.Id == _leader && !entry.IsLearner && entry.Address.Equals(member.Address))))
            {
                _leader = _etcd.FirstOrDefault(entry => !entry.IsLearner && _members.Any(member => member.Runs && member.Address.Equals(entry.Address)))?.Id ?? 0;
            }
        }

        private MemberView Of(RolloutStep step) => _members.Single(member => member.Name == step.Member);

        private void Change(string name, Func<MemberView, MemberView> change) => _members[_members.FindIndex(member => member.Name == name)] = change(Of(name));

        private MemberView Of(string name) => _members.Single(member => member.Name == name);

        private void True(bool condition, string what) => Assert.True(condition, $"{what}, after:\n{string.Join('\n', _steps)}");
    }
}
