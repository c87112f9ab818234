using Vks.Supervisor.ControlPlane;

namespace Vks.Tests.Supervisor.ControlPlane;

/// <summary>What counts as healthy.</summary>
public sealed class HealthJudgeTests
{
    private readonly HealthJudge _judge = new(TimeSpan.FromSeconds(4));

    [Fact]
    public void One_bad_answer_is_no_illness_but_four_seconds_without_a_good_one_are()
    {
        _judge.Good(Seconds(10));
        _judge.Bad(Seconds(11), "leaderless");

        Assert.True(_judge.IsHealthy(Seconds(14)));
        Assert.False(_judge.IsHealthy(Seconds(14.1)));
        Assert.Equal(("leaderless", Seconds(3)), (_judge.Why, _judge.BadFor(Seconds(14))));
    }

    [Fact]
    public void Silence_has_eight_seconds_unless_a_bad_answer_came_before_it()
    {
        HealthJudge judge = new(Seconds(4), Seconds(8));
        judge.Good(Seconds(10));
        judge.Bad(Seconds(13), "no answer", silent: true);

        Assert.True(judge.IsHealthy(Seconds(18)));
        Assert.False(judge.IsHealthy(Seconds(18.1)));

        judge.Bad(Seconds(14), "leaderless");
        judge.Bad(Seconds(15), "no answer", silent: true);
        Assert.False(judge.IsHealthy(Seconds(15)));
        judge.Good(Seconds(16));
        Assert.True(judge.IsHealthy(Seconds(23)));
    }

    [Fact]
    public void What_is_known_to_be_gone_is_ill_at_once()
    {
        _judge.Good(Seconds(10));
        _judge.Bad(Seconds(10.1), "it does not run", certain: true);

        Assert.False(_judge.IsHealthy(Seconds(10.1)));
    }

    [Fact]
    public void A_judge_that_stood_still_for_a_minute_knows_nothing_good() =>
        Assert.False(Judged(good: Seconds(10)).IsHealthy(Seconds(70)));

    [Fact]
    public void Nothing_is_healthy_before_it_was_looked_at() => Assert.False(_judge.IsHealthy(Seconds(0)));

    private HealthJudge Judged(TimeSpan good)
    {
        _judge.Good(good);
        return _judge;
    }

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);
}
