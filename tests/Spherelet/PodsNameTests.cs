using CsCheck;
using Vks.Spherelet.Pods;

namespace Vks.Tests.Spherelet;

/// <summary>Names and ids of pods.</summary>
public sealed class PodsNameTests
{
    [Fact]
    public void A_name_has_one_holder_until_that_one_gives_it_back()
    {
        var names = new NameRegistry<PodName>();
        var name = new PodName("web", "default", "uid", 0);
        names.Reserve(name, "first");

        PodException refused = Assert.Throws<PodException>(() => names.Reserve(name, "second"));
        names.Release(name, "second");
        Assert.Throws<PodException>(() => names.Reserve(name, "second"));
        names.Release(name, "first");
        names.Reserve(name, "second");

        Assert.Equal(PodFault.NameReserved, refused.Fault);
        Assert.Contains("first", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_differs_in_each_of_its_parts()
    {
        var names = new NameRegistry<PodName>();
        var name = new PodName("web", "default", "uid", 0);

        foreach (PodName other in (PodName[])[name, name with { Name = "x" }, name with { Namespace = "x" }, name with { Uid = "x" }, name with { Attempt = 1 }])
        {
            names.Reserve(other, "holder of " + other);
        }
    }

    [Fact]
    public void Of_many_who_want_a_name_at_once_one_gets_it() =>
        Gen.Int[2, 16].Sample(count =>
        {
            var names = new NameRegistry<string>();
            var won = 0;
            Parallel.For(0, count, index =>
            {
                try
                {
                    names.Reserve("name", $"holder-{index}");
                    Interlocked.Increment(ref won);
                }
                catch (PodException)
                {
                    // another was first
                }
            });

            Assert.Equal(1, won);
        }, iter: 50);

    [Fact]
    public void An_id_may_be_shortened_while_only_one_begins_so()
    {
        var items = new Dictionary<string, string> { ["abc1"] = "one", ["abd2"] = "two" };

        Assert.Equal("one", PodId.Find(items, "abc", "pod"));
        Assert.Equal("two", PodId.Find(items, "abd2", "pod"));
        Assert.Equal(PodFault.InvalidConfig, Assert.Throws<PodException>(() => PodId.Find(items, "ab", "pod")).Fault);
        Assert.Equal(PodFault.InvalidConfig, Assert.Throws<PodException>(() => PodId.Find(items, "", "pod")).Fault);
        Assert.Equal(PodFault.NotFound, Assert.Throws<PodException>(() => PodId.Find(items, "b", "pod")).Fault);
        Assert.Null(PodId.TryFind(items, "b", "pod"));
    }
}
