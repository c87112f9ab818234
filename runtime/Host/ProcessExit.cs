namespace Vks.Runtime.Host;

/// <summary>How a process ended.</summary>
/// <param name="ExitCode">Its exit code; null when a signal ended it or when it was not our child.</param>
/// <param name="Signal">The signal that ended it; null when it exited by itself or was not our child.</param>
public sealed record ProcessExit(int? ExitCode, int? Signal)
{
    /// <summary>The process is gone and nobody can say how: it was not our child (adopted after a restart).</summary>
    public static ProcessExit Unknown { get; } = new(null, null);

    /// <inheritdoc/>
    public override string ToString() => this switch
    {
        { ExitCode: { } code } => $"exited with code {code}",
        { Signal: { } signal } => $"was ended by signal {signal}",
        _ => "is gone",
    };
}
