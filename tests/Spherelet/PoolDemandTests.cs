using CsCheck;
using Vks.Spherelet.Pods;

namespace Vks.Tests.Spherelet;

/// <summary>How many machines a pool should hold, by when pods came.</summary>
public sealed class PoolDemandTests
{
    private static readonly DateTimeOffset s_start = DateTimeOffset.UnixEpoch;
    private static readonly TimeSpan s_horizon = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan s_refill = TimeSpan.FromSeconds(2);

    [Fact]
    public void What_nobody_asked_for_is_held_in_the_least_number()
    {
        Assert.Equal(0, new PoolDemand(s_horizon, least: 0).Wanted(s_start, s_refill));
        Assert.Equal(1, new PoolDemand(s_horizon, least: 1).Wanted(s_start, s_refill));
    }

    [Fact]
    public void Pods_that_come_now_and_then_want_one_and_ten_at_once_want_ten()
    {
        PoolDemand demand = new(s_horizon, least: 0);
        for (int pod = 0; pod < 5; pod++)
        {
            demand.Arrive(s_start + (pod * TimeSpan.FromSeconds(30)));
        }

        Assert.Equal(1, demand.Wanted(s_start + TimeSpan.FromMinutes(3), s_refill));
        for (int pod = 0; pod < 10; pod++)
        {
            demand.Arrive(s_start + TimeSpan.FromMinutes(4));
        }

        Assert.Equal(10, demand.Wanted(s_start + TimeSpan.FromMinutes(5), s_refill));
    }

    [Fact]
    public void What_came_before_the_horizon_counts_no_more_and_the_moment_is_told()
    {
        PoolDemand demand = new(s_horizon, least: 0);
        demand.Arrive(s_start);

        Assert.Equal(s_start + s_horizon, demand.FallsAt);
        Assert.Equal(1, demand.Wanted(s_start + s_horizon, s_refill));
        Assert.Equal(0, demand.Wanted(s_start + s_horizon + TimeSpan.FromMilliseconds(1), s_refill));
        Assert.Null(demand.FallsAt);
    }

    [Fact]
    public void It_is_the_most_arrivals_within_any_refill()
    {
        Gen.Int[0, 60_000].Array[0, 40].Select(Gen.Int[1, 20_000]).Sample((milliseconds, refill) =>
        {
            PoolDemand demand = new(s_horizon, least: 0);
            DateTimeOffset[] times = [.. milliseconds.Order().Select(at => s_start + TimeSpan.FromMilliseconds(at))];
            Array.ForEach(times, demand.Arrive);
            TimeSpan window = TimeSpan.FromMilliseconds(refill);

            int wanted = demand.Wanted(s_start + TimeSpan.FromMinutes(1), window);

            Assert.Equal(times.Select(begin => times.Count(time => time >= begin && time - begin <= window)).DefaultIfEmpty(0).Max(), wanted);
        });
    }
}
