namespace Vks.Runtime.Qemu;

/// <summary>The rate of the host's time stamp counter.</summary>
internal static class HostTsc
{
    /// <summary>In kHz, or null when this host does not tell.</summary>
    internal static long? ReadKHz() => throw new NotSupportedException();
}
