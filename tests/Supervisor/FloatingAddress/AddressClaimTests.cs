using CsCheck;
using Vks.Supervisor.FloatingAddress;

namespace Vks.Tests.Supervisor.FloatingAddress;

/// <summary>Who has the floating address, decided from heartbeats.</summary>
public sealed class AddressClaimTests
{
    [Fact]
    public void Two_members_never_have_the_address_at_once_whatever_is_lost_late_or_stands_still()
    {
        var moves = 0;

        Gen.Int.Sample(
            seed =>
            {
                AddressModel model = new(seed, members: 3);
                model.Run(seconds: 600);
                Interlocked.Add(ref moves, model.Moves);
                Assert.Empty(model.Doubles);
            },
            iter: 2000);

        Assert.True(moves > 10_000, $"the address moved only {moves} times: the model has become too kind");
    }

    [Fact]
    public void Nor_do_they_while_one_member_becomes_three_and_three_become_one()
    {
        var moves = 0;

        Gen.Int.Sample(
            seed =>
            {
                AddressModel model = new(seed, members: 3, grows: true);
                model.Run(seconds: 600);
                Interlocked.Add(ref moves, model.Moves);
                Assert.Empty(model.Doubles);
            },
            iter: 1000);

        Assert.True(moves > 5_000, $"the address moved only {moves} times: the model has become too kind");
    }

    [Fact]
    public void A_sole_member_keeps_the_address_however_its_API_server_is_and_one_of_three_does_not()
    {
        var moved = 0;

        Gen.Int.Sample(
            seed =>
            {
                AddressModel sole = new(seed, members: 1, calm: true, sickly: true);
                sole.Run(seconds: 600);
                Assert.Equal((1, 0d), (sole.Moves, sole.LongestWithout));

                AddressModel three = new(seed, members: 3, calm: true, sickly: true);
                three.Run(seconds: 600);
                Interlocked.Add(ref moved, three.Moves - 1);
            },
            iter: 100);

        Assert.True(moved > 100, $"the address of three members moved only {moved} times: their API servers are too well");
    }

    [Fact]
    public void Another_member_has_the_address_within_ten_seconds_of_its_holders_death()
    {
        Gen.Int.Sample(
            seed =>
            {
                AddressModel model = new(seed, members: 3, calm: true);
                model.Run(seconds: 30);
                Assert.Equal((1, 0d), (model.Moves, model.LongestWithout));

                model.KillHolder();
                model.Run(seconds: 10);

                Assert.Equal(2, model.Moves);
                Assert.InRange(model.LongestWithout, 0.1, 8);
            },
            iter: 200);
    }

    [Fact]
    public void A_released_address_is_taken_at_once_but_not_by_who_may_not_have_it()
    {
        AddressClaim claim = new("a", "run");
        claim.Seen(7, new AddressRecord { Member = "b", Incarnation = "other", Sequence = 1, Released = true }, TimeSpan.Zero);

        Assert.IsType<ClaimStep.Look>(claim.Next(TimeSpan.Zero, fit: false));
        Assert.Equal(7, Assert.IsType<ClaimStep.Write>(claim.Next(TimeSpan.Zero, fit: true)).Revision);
    }

    [Fact]
    public void A_member_that_may_not_have_it_any_more_gives_the_address_up()
    {
        AddressClaim claim = new("a", "run");
        claim.Seen(0, null, TimeSpan.Zero);
        ClaimStep.Write first = Assert.IsType<ClaimStep.Write>(claim.Next(TimeSpan.Zero, fit: true));
        claim.Written(3, first.Record, TimeSpan.Zero);

        ClaimStep.GiveUp end = Assert.IsType<ClaimStep.GiveUp>(claim.Next(TimeSpan.Zero, fit: false));

        Assert.Equal((3L, true, "a"), (end.Revision, end.Record.Released, end.Record.Member));
    }

    [Fact]
    public void A_member_that_was_started_anew_does_not_take_its_former_self_for_itself()
    {
        AddressClaim claim = new("a", "second run");
        claim.Seen(5, new AddressRecord { Member = "a", Incarnation = "first run", Sequence = 9, Released = false }, TimeSpan.Zero);

        Assert.IsType<ClaimStep.Look>(claim.Next(ClaimTiming.Takeover - TimeSpan.FromMilliseconds(1), fit: true));
        Assert.IsType<ClaimStep.Write>(claim.Next(ClaimTiming.Takeover, fit: true));
    }
}
