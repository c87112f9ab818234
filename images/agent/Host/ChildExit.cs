namespace Vks.Agent.Host;

/// <summary>How a process ended.</summary>
/// <param name="Code">0 to 255; 128 + signal when a signal ended it.</param>
internal readonly record struct ChildExit(int Code)
{
    /// <summary>Decodes the status word of waitpid(2).</summary>
    internal static ChildExit FromStatus(int status) =>
        (status & 0x7f) == 0 ? new((status >> 8) & 0xff) : new(128 + (status & 0x7f));
}
