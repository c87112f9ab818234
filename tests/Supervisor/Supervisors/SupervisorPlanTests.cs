using k8s.Models;
using Vks.Supervisor.Supervisors;

namespace Vks.Tests.Supervisor.Supervisors;

/// <summary>How a control plane is, from what its members say.</summary>
public sealed class SupervisorPlanTests
{
    private static readonly TimeSpan s_silent = SupervisorPlan.SilentAfter + TimeSpan.FromSeconds(1);

    [Fact]
    public void Three_members_that_serve_are_Running_with_the_holder_the_address_and_the_lowest_version()
    {
        SupervisorStatus status = Status([Member(1, holds: true, version: "1.20.10"), Member(2, version: "1.20.9"), Member(3, version: "1.20.10")]);

        Assert.Equal(("Configuring", "3/3", "1.20.9", "a-1"), (status.Phase, status.ReadyMembers, status.Version, status.FloatingAddress!.Holder));
        Assert.Equal("SeveralVersions", Condition(status, SupervisorPlan.Ready).Reason);

        status = Status([Member(1, holds: true), Member(2), Member(3)]);
        Assert.Equal(("Running", "10.0.0.14", "https://10.0.0.14:6443", "10.0.0.15"), (status.Phase, status.FloatingAddress!.Address, status.Endpoint, status.PatchAddress));
        Assert.Equal(["leads", "follows", "follows"], status.Members!.Select(static member => member.Etcd));
    }

    [Theory]
    [InlineData(1, "Running", "2/3")]
    [InlineData(2, "Error", "1/3")]
    public void A_lost_member_leaves_it_Running_and_not_Ready_and_a_lost_majority_is_an_Error(int lost, string phase, string ready)
    {
        SupervisorStatus before = Status([Member(1, holds: true), Member(2), Member(3)]);

        SupervisorStatus status = Status([Member(1, holds: true), Member(2, silent: lost > 1 ? s_silent : TimeSpan.Zero), Member(3, silent: s_silent)], before);

        Assert.Equal((phase, ready, "False"), (status.Phase, status.ReadyMembers, Condition(status, SupervisorPlan.Ready).Status));
        Assert.Equal("Silent", status.Members![2].Phase);
        Assert.Contains("a-3: has said nothing for more than 20 s", Condition(status, SupervisorPlan.Ready).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_two_that_say_they_have_the_address_the_later_word_counts_and_the_time_of_the_change_is_kept()
    {
        SupervisorStatus before = Status([Member(1, holds: true), Member(2), Member(3)]);
        DateTime long_ago = new(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        before.FloatingAddress!.Since = long_ago;

        SupervisorStatus same = Status([Member(1, holds: true), Member(2), Member(3)], before);
        SupervisorStatus moved = Status([Member(1, holds: true, silent: TimeSpan.FromSeconds(9)), Member(2, holds: true), Member(3)], before);

        Assert.Equal(("a-1", long_ago), (same.FloatingAddress!.Holder, same.FloatingAddress.Since));
        Assert.Equal("a-2", moved.FloatingAddress!.Holder);
        Assert.NotEqual(long_ago, moved.FloatingAddress.Since);
    }

    [Fact]
    public void What_is_wrong_is_named_with_the_member_and_nothing_wrong_is_taken_for_running()
    {
        SupervisorStatus before = Status([Member(1, holds: true), Member(2), Member(3)]);

        (SeenMember[] Members, string Condition, string Message)[] cases =
        [
            ([Member(1, holds: true), Member(2)], SupervisorPlan.MembersPresent, "2 of 3 members have said how they are: a-1, a-2"),
            ([Member(1, holds: true), Member(2), Member(3, zone: "zone-2")], SupervisorPlan.ZonesCovered, "No member is in zone-3"),
            ([Member(1, holds: true), Member(2), Member(3, unsteady: "kube-scheduler")], SupervisorPlan.ProgramsSteady, "a-3: kube-scheduler"),
            ([Member(1, holds: true), Member(2), Member(3, places: false)], SupervisorPlan.PlacementServed, "beside a-3"),
            ([Member(1, holds: true), Member(2), Member(3, etcd: "NOSPACE")], SupervisorPlan.EtcdHealthy, "a-3: NOSPACE"),
            ([Member(1), Member(2), Member(3)], SupervisorPlan.FloatingAddressHeld, "No member says"),
            ([Member(1, holds: true), Member(2), Member(3, certificates: DateTimeOffset.UnixEpoch)], SupervisorPlan.CertificatesValid, "a-3 since 1970-01-01"),
        ];
        foreach ((SeenMember[] members, string type, string message) in cases)
        {
            SupervisorStatus status = Status(members, before);

            Assert.Equal("False", Condition(status, type).Status);
            Assert.Contains(message, Condition(status, type).Message, StringComparison.Ordinal);
            Assert.Equal("False", Condition(status, SupervisorPlan.Ready).Status);
        }
    }

    private static SupervisorStatus Status(SeenMember[] members, SupervisorStatus? before = null)
    {
        SupervisorObject item = SupervisorObject.Named("a", new SupervisorSpec
        {
            ControlPlane = new MembersWanted { Replicas = 3 }, Zones = ["zone-1", "zone-2", "zone-3"],
            ManagementNetwork = new ManagementNetwork { StartingAddress = "10.0.0.11", PrefixLength = 24 },
        });
        item.Status = before;
        return SupervisorPlan.Status(item, members, TimeProvider.System);
    }

    private static V1Condition Condition(SupervisorStatus status, string type) => status.Conditions!.Single(condition => condition.Type == type);

    private static SeenMember Member(
        int number, bool holds = false, TimeSpan silent = default, string version = "1.20.2", string? zone = null, string unsteady = "", bool places = true, string etcd = "", DateTimeOffset? certificates = null) => new(
        new MemberReport
        {
            Name = $"a-{number}", Host = $"host-{number}", Zone = zone ?? $"zone-{number}", Address = $"10.0.0.{10 + number}", Version = version, Ready = true, Why = "",
            HasFloatingAddress = holds, EtcdServes = true, EtcdLeads = number == 1, EtcdProblem = etcd, Members = ["a-1", "a-2", "a-3"],
            Unsteady = unsteady.Length > 0 ? [unsteady] : [], Places = places, CertificatesEnd = certificates ?? DateTimeOffset.MaxValue,
        },
        silent);
}
