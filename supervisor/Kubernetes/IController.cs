namespace Vks.Supervisor.Kubernetes;

/// <summary>
/// What keeps objects of one kind as they should be. It looks at what is there, not at what happened: any look may be the first one of a process,
/// and the last may have ended anywhere.
/// </summary>
internal interface IController
{
    /// <summary>For the log.</summary>
    string Name { get; }

    /// <summary>Takes one object one look further.</summary>
    /// <param name="key">Which; it may be gone.</param>
    /// <param name="cancellationToken">Ends the look wherever it is.</param>
    /// <returns>When to look again without any change, or null.</returns>
    Task<TimeSpan?> ReconcileAsync(ObjectKey key, CancellationToken cancellationToken);
}
