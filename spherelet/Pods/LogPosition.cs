namespace Vks.Spherelet.Pods;

/// <summary>How much of a container's output its log held at one moment.</summary>
/// <param name="FileBytes">Length of the log file at that moment.</param>
/// <param name="OutputBytes">Bytes of standard output stored so far, in this file and earlier ones.</param>
/// <param name="ErrorBytes">Bytes of standard error stored so far.</param>
/// <param name="Complete">Both streams have ended and all is stored.</param>
internal sealed record LogPosition(long FileBytes, long OutputBytes, long ErrorBytes, bool Complete)
{
    /// <summary>Nothing stored.</summary>
    public static LogPosition Start { get; } = new(0, 0, 0, Complete: false);
}
