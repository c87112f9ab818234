using CsCheck;
using Vks.Runtime.Templates;
using Vks.Spherelet.Pods;

namespace Vks.Tests.Spherelet;

/// <summary>What a pool does next.</summary>
public sealed class PoolPlanTests
{
    private const long MiB = 1024 * 1024;

    [Fact]
    public void The_emptiest_shape_in_proportion_is_filled_first()
    {
        PoolStep step = PoolPlan.Next([Shelf(128, ready: 1, wanted: 2), Shelf(256, ready: 3, wanted: 9), Shelf(512, ready: 1, wanted: 1)], 50 * MiB, 1000 * MiB);

        Assert.Equal(new PoolStep.Add(Shape(256)), step);
    }

    [Fact]
    public void Nothing_is_added_that_does_not_fit()
    {
        Assert.Equal(new PoolStep.Wait(), PoolPlan.Next([Shelf(128, ready: 2, wanted: 5)], 50 * MiB, 149 * MiB));
        Assert.Equal(new PoolStep.Add(Shape(128)), PoolPlan.Next([Shelf(128, ready: 2, wanted: 5)], 50 * MiB, 150 * MiB));
    }

    [Fact]
    public void Whatever_was_wanted_the_steps_come_to_an_end_within_the_budget()
    {
        Gen.Select(Gen.Select(Gen.Int[0, 12], Gen.Int[0, 12]).Array[1, 4], Gen.Int[1, 100], Gen.Int[0, 1000]).Sample((counts, memberMiB, budgetMiB) =>
        {
            PoolShelf[] shelves = [.. counts.Select((count, index) => new PoolShelf(Shape(128 + index), count.Item1, count.Item2, count.Item1 * memberMiB * MiB))];
            int steps = 0;
            PoolStep step;
            while ((step = PoolPlan.Next(shelves, memberMiB * MiB, budgetMiB * MiB)) is not PoolStep.Wait)
            {
                Assert.True(++steps < 200, "it goes on for ever");
                (TemplateShape shape, int change) = step is PoolStep.Add add ? (add.Shape, 1) : (((PoolStep.Drop)step).Shape, -1);
                shelves = [.. shelves.Select(shelf => shelf.Shape == shape ? shelf with { Ready = shelf.Ready + change, Bytes = shelf.Bytes + (change * memberMiB * MiB) } : shelf)];
            }

            Assert.True(shelves.Sum(shelf => shelf.Bytes) <= budgetMiB * MiB);
            Assert.All(shelves, shelf => Assert.InRange(shelf.Ready, 0, shelf.Wanted));
            bool full = shelves.Sum(shelf => shelf.Bytes) + (memberMiB * MiB) > budgetMiB * MiB;
            Assert.True(full || shelves.All(shelf => shelf.Ready == shelf.Wanted), "there is room, and a machine is missing");
        });
    }

    private static TemplateShape Shape(int memoryMiB) => new(1, memoryMiB, 1024, HasNetwork: true, HasShare: true);

    private static PoolShelf Shelf(int memoryMiB, int ready, int wanted) => new(Shape(memoryMiB), ready, wanted, ready * 50 * MiB);
}
