namespace Vks.Bench.Sections;

/// <summary>The parts of a run, in order.</summary>
internal static class BenchSections
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<ISection> All { get; } =
    [
        new BootSection(), new SerialSection(), new BurstSection(), new IdleSection(), new ImageSection(), new StorageSection(), new LoadSection(), new LeakSection(),
        new NodeSection(),
    ];
}
