using CsCheck;
using Vks.Spherelet.Overhead;

namespace Vks.Tests.Spherelet.Overhead;

/// <summary>One figure for a host from many pods and moments.</summary>
public sealed class OverheadEstimateTests
{
    private const long MiB = 1 << 20;

    private static readonly DateTimeOffset s_start = DateTimeOffset.UnixEpoch;

    [Fact]
    public void Nothing_is_known_before_the_first_pod()
    {
        OverheadEstimate estimate = new();
        estimate.Add(s_start, []);

        Assert.Null(estimate.Now);
    }

    [Fact]
    public void Nothing_is_told_before_the_second_look_at_a_pod_since_CPU_time_needs_two()
    {
        OverheadEstimate estimate = new();
        estimate.Add(s_start, [Pod("a", 101 * MiB, 10, 5)]);
        Assert.Null(estimate.Now);

        // A CPU second of the host, of which the containers had 0.1, in 100 s: 9 thousandths.
        estimate.Add(s_start.AddSeconds(100), [Pod("a", 90 * MiB, 11, 5.1)]);
        Assert.Equal(new PodOverhead(104 * MiB, 10), estimate.Now);
    }

    [Fact]
    public void One_odd_pod_of_ten_does_not_make_all_dear()
    {
        OverheadEstimate estimate = new();
        OverheadSample[] pods = [Pod("odd", 4000 * MiB, 0, 0), .. Enumerable.Range(0, 9).Select(number => Pod($"{number}", 80 * MiB, 0, 0))];
        estimate.Add(s_start, pods);
        estimate.Add(s_start.AddMinutes(1), pods);

        Assert.Equal(80 * MiB, estimate.Now!.Value.MemoryBytes);
    }

    [Fact]
    public void The_largest_of_an_hour_holds_and_then_is_forgotten()
    {
        OverheadEstimate estimate = new();
        estimate.Add(s_start, [Pod("a", 160 * MiB, 0, 0)]);
        estimate.Add(s_start.AddMinutes(59), [Pod("a", 80 * MiB, 0, 0)]);
        Assert.Equal(160 * MiB, estimate.Now!.Value.MemoryBytes);

        estimate.Add(s_start.AddMinutes(61), [Pod("a", 80 * MiB, 0, 0)]);
        Assert.Equal(80 * MiB, estimate.Now!.Value.MemoryBytes);
    }

    [Fact]
    public void Without_pods_what_was_known_stays()
    {
        OverheadEstimate estimate = new();
        estimate.Add(s_start, [Pod("a", 160 * MiB, 0, 0)]);
        estimate.Add(s_start.AddMinutes(1), [Pod("a", 160 * MiB, 0, 0)]);
        estimate.Add(s_start.AddHours(5), []);

        Assert.Equal(160 * MiB, estimate.Now!.Value.MemoryBytes);
    }

    [Fact]
    public void Whatever_pods_do_it_is_in_steps_and_no_less_than_nine_of_ten_pods_of_the_last_look() =>
        Gen.Select(Gen.Long[0, 5000 * MiB].Array[1, 30].Array[2, 20], Gen.Int[1, 3000]).Sample((looks, seconds) =>
        {
            OverheadEstimate estimate = new();
            for (var look = 0; look < looks.Length; look++)
            {
                estimate.Add(s_start.AddSeconds(look * seconds), [.. looks[look].Select((bytes, pod) => Pod($"{pod}", bytes, look * 3, look * pod))]);
            }

            PodOverhead now = estimate.Now!.Value;
            Assert.Equal(0, now.MemoryBytes % (8 * MiB));
            Assert.True(now.CpuMillis >= 0 && now.CpuMillis % 5 == 0);
            Assert.True(looks[^1].Count(bytes => bytes <= now.MemoryBytes) >= 0.9 * looks[^1].Length);
            Assert.True(now.MemoryBytes <= (looks.Max(static look => look.Max()) + (8 * MiB)));
        });

    private static OverheadSample Pod(string id, long bytes, double hostSeconds, double containerSeconds) =>
        new(id, bytes, TimeSpan.FromSeconds(hostSeconds), TimeSpan.FromSeconds(containerSeconds));
}
