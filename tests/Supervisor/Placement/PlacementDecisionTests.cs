using CsCheck;
using Vks.Supervisor.Placement;
using Vks.Supervisor.Zones;

namespace Vks.Tests.Supervisor.Placement;

/// <summary>Where pods may and should run, for any cluster.</summary>
public sealed class PlacementDecisionTests
{
    private static readonly string?[] s_zones = ["zone-1", "zone-2", "zone-3", null];

    private static readonly Gen<HostFacts[]> s_hosts = Gen.Select(
        Gen.Int[0, 3].Select(place => s_zones[place]), Gen.Bool, Gen.Bool, Gen.Long[0, 8000], Gen.Long[0, 8000], Gen.Long[0, 64], Gen.Long[0, 64], Gen.Long[0, 200])
        .Array[0, 12].Select(rows => rows.Select((row, place) => new HostFacts
        {
            Name = $"h{place}", Zone = row.Item1, ZoneTakesPods = row.Item2, InService = row.Item3, AllocatableMillis = row.Item4, UsedMillis = row.Item5,
            AllocatableBytes = row.Item6 << 30, UsedBytes = row.Item7 << 30, OverheadBytes = row.Item8 << 20,
        }).ToArray());

    private static readonly Gen<PlacementQuestion> s_questions = Gen.Select(
        s_hosts, Gen.Int[0, 2].Select(place => s_zones[place]!).Array[1, 3], Gen.Bool, Gen.Long[0, 4000], Gen.Long[0, 8192], Gen.Int[0, 4095], Gen.Int[0, 9].Array[3])
        .Select((hosts, zones, free, cpu, memory, candidates, siblings) => new PlacementQuestion
        {
            Hosts = hosts,
            Zones = free ? null : zones.Distinct().ToArray(),
            Request = new PodRequest(cpu, memory << 20, 0, 0),
            Candidates = hosts.Where((_, place) => (candidates >> place & 1) == 1).Select(host => host.Name).ToHashSet(),
            Siblings = new Dictionary<string, int> { ["zone-1"] = siblings[0], ["zone-2"] = siblings[1], ["zone-3"] = siblings[2] },
        });

    [Fact]
    public void A_pod_is_never_offered_a_host_that_a_rule_forbids() => s_questions.Sample(question =>
    {
        Dictionary<string, HostFacts> hosts = question.Hosts.ToDictionary(host => host.Name);

        foreach (ScoredHost offered in PlacementDecision.Of(question).Candidates)
        {
            HostFacts host = hosts[offered.Host];
            Assert.Contains(offered.Host, question.Candidates);
            Assert.True(host.InService);
            Assert.True(host.UsedMillis + question.Request.CpuMillis <= host.AllocatableMillis);
            Assert.True(host.UsedBytes + question.Request.MemoryBytes + host.OverheadBytes <= host.AllocatableBytes);
            Assert.True(question.Zones is null || (question.Zones.Contains(host.Zone) && host.ZoneTakesPods));
            Assert.InRange(offered.Score, 0, 10);
        }
    });

    [Fact]
    public void Every_host_is_either_offered_or_removed_with_a_reason() => s_questions.Sample(question =>
    {
        PlacementDecision decision = PlacementDecision.Of(question);

        Assert.Equal(
            question.Hosts.Select(host => host.Name).Order(),
            decision.Candidates.Select(host => host.Host).Concat(decision.Removed.Select(host => host.Host)).Order());
        Assert.All(decision.Removed, host => Assert.NotEmpty(host.Reason));
    });

    [Fact]
    public void The_best_host_is_in_a_zone_with_the_fewest_of_its_kind() => s_questions.Sample(question =>
    {
        PlacementDecision decision = PlacementDecision.Of(question);

        if (question.Zones is not null && decision.Candidates.Count > 0)
        {
            int fewest = decision.Candidates.Min(host => host.Siblings);
            Assert.Equal(fewest, decision.Candidates[0].Siblings);

            // By so much that upstream's own scores, 1100 at most, do not outweigh it: 30 times 10 a point.
            Assert.All(decision.Candidates.Where(host => host.Zone != decision.Candidates[0].Zone), host => Assert.True((decision.Candidates[0].Score - host.Score) * 300 >= 1100));
        }
    });

    [Fact]
    public void The_same_question_has_the_same_answer_in_any_order_of_hosts() => s_questions.Sample(question =>
    {
        PlacementRecord one = PlacementRecord.Of(question, PlacementDecision.Of(question));
        PlacementQuestion turned = question with { Hosts = [.. question.Hosts.Reverse()] };

        Assert.Equal(one.Write(), PlacementRecord.Of(turned, PlacementDecision.Of(turned)).Write());
    });

    [Fact]
    public void Replicas_that_fit_are_spread_evenly() => Gen.Select(Gen.Int[1, 30], Gen.Int[1, 3], Gen.Int[1, 4]).Sample((replicas, zoneCount, hostsPerZone) =>
    {
        string[] zones = [.. Enumerable.Range(1, zoneCount).Select(zone => $"zone-{zone}")];
        HostFacts[] hosts =
        [
            .. s_zones[..3].SelectMany(zone => Enumerable.Range(0, hostsPerZone).Select(host => new HostFacts { Name = $"{zone}-{host}", Zone = zone, AllocatableMillis = 64_000, AllocatableBytes = 256L << 30 })),
        ];
        Dictionary<string, int> counts = zones.ToDictionary(zone => zone, _ => 0);

        for (int replica = 0; replica < replicas; replica++)
        {
            PlacementQuestion question = new()
            {
                Hosts = hosts, Zones = zones, Request = new PodRequest(100, 1 << 20, 0, 0), Candidates = hosts.Select(host => host.Name).ToHashSet(), Siblings = counts, Neighbours = counts,
            };
            counts[PlacementDecision.Of(question).Candidates[0].Zone!]++;
        }

        Assert.True(counts.Values.Max() - counts.Values.Min() <= 1, string.Join(' ', counts));
    });

    [Fact]
    public void A_record_survives_being_written_on_a_pod() => s_questions.Sample(question =>
    {
        string text = PlacementRecord.Of(question, PlacementDecision.Of(question)).Write();

        Assert.Equal(text, PlacementRecord.Read(text)!.Write());
    });

    [Fact]
    public void Rubbish_on_a_pod_is_no_record() => Assert.Null(PlacementRecord.Read("{ \"candidates\": 5 }"));
}
