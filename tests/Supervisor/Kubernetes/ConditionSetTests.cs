using k8s.Models;
using Microsoft.Extensions.Time.Testing;
using Vks.Supervisor.Kubernetes;

namespace Vks.Tests.Supervisor.Kubernetes;

/// <summary>Conditions over several looks.</summary>
public sealed class ConditionSetTests
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch);

    [Fact]
    public void The_time_of_a_condition_is_that_of_its_last_change()
    {
        V1Condition first = Look(null, true);
        _time.Advance(TimeSpan.FromMinutes(1));
        V1Condition same = Look([first], true);
        V1Condition changed = Look([same], false);

        Assert.Equal(first.LastTransitionTime, same.LastTransitionTime);
        Assert.Equal(DateTime.UnixEpoch.AddMinutes(1), changed.LastTransitionTime);
    }

    [Theory]
    [InlineData(true, true, "True")]
    [InlineData(true, null, "Unknown")]
    [InlineData(null, false, "False")]
    [InlineData(false, true, "False")]
    public void A_sum_is_as_bad_as_its_worst_part(bool? one, bool? other, string sum)
    {
        ConditionSet set = new(null, 1, _time);
        set.Set("One", one, "OneIsSo", "one");
        set.Set("Other", other, "OtherIsSo", "other");

        set.Summarize("Ready", "AllFine");

        Assert.Equal(sum, set.Now[^1].Status);
    }

    private V1Condition Look(V1Condition[]? before, bool holds)
    {
        ConditionSet set = new(before, 1, _time);
        set.Set("Fine", holds, "Reason", "");
        return Assert.Single(set.Now);
    }
}
