namespace Vks.Runtime.Host;

/// <summary>The control group of one child.</summary>
/// <param name="Parent">Group that holds all of the daemon's children, e.g. <c>vks</c>. One path component.</param>
/// <param name="Name">This child's group, e.g. a machine id. One path component.</param>
internal sealed record CgroupSettings(string Parent, string Name)
{
    /// <summary>Memory limit in bytes, or null for none.</summary>
    internal long? MemoryBytes { get; init; }

    /// <summary>Limit on processes and threads, or null for none.</summary>
    internal int? PidsMax { get; init; }
}
