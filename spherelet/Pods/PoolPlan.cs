using Vks.Runtime.Templates;

namespace Vks.Spherelet.Pods;

/// <summary>What a pool does next. Pure.</summary>
internal static class PoolPlan
{
    /// <summary>Decides on one step; asked again after each.</summary>
    /// <param name="shelves">What there is and what is wanted.</param>
    /// <param name="memberBytes">What one more machine is expected to take of the host's memory.</param>
    /// <param name="budgetBytes">What all may take together.</param>
    public static PoolStep Next(IReadOnlyList<PoolShelf> shelves, long memberBytes, long budgetBytes)
    {
        long used = shelves.Sum(static shelf => shelf.Bytes);
        PoolShelf? surplus = shelves.Where(static shelf => shelf.Ready > shelf.Wanted).MaxBy(static shelf => shelf.Ready - shelf.Wanted);
        if (surplus is not null)
        {
            return new PoolStep.Drop(surplus.Shape);
        }

        if (used > budgetBytes)
        {
            return shelves.Where(static shelf => shelf.Ready > 0).MaxBy(static shelf => shelf.Ready) is { } fullest ? new PoolStep.Drop(fullest.Shape) : new PoolStep.Wait();
        }

        // The emptiest in proportion first, so that no shape starves another.
        PoolShelf? lacking = shelves.Where(static shelf => shelf.Ready < shelf.Wanted).MinBy(static shelf => (double)shelf.Ready / shelf.Wanted);
        return lacking is not null && used + memberBytes <= budgetBytes ? new PoolStep.Add(lacking.Shape) : new PoolStep.Wait();
    }
}

/// <summary>The ready machines of one shape.</summary>
/// <param name="Shape">What they are.</param>
/// <param name="Ready">How many there are.</param>
/// <param name="Wanted">How many there should be.</param>
/// <param name="Bytes">What they take of the host's memory together.</param>
internal sealed record PoolShelf(TemplateShape Shape, int Ready, int Wanted, long Bytes);

/// <summary>One step of a pool.</summary>
internal abstract record PoolStep
{
    private PoolStep()
    {
    }

    /// <summary>Makes one ready.</summary>
    internal sealed record Add(TemplateShape Shape) : PoolStep;

    /// <summary>Ends one.</summary>
    internal sealed record Drop(TemplateShape Shape) : PoolStep;

    /// <summary>All is as wanted, or as near to it as the budget allows.</summary>
    internal sealed record Wait : PoolStep;
}
