namespace Vks.Runtime.Guest.Protocol;

/// <summary>The streams of one call. The values are wire numbers.</summary>
public enum GuestStream : byte
{
    /// <summary>Host to guest: a process's standard input, or what is sent to a dialled port.</summary>
    Input = 0,

    /// <summary>Guest to host: standard output, a terminal's output, or what a dialled port sends.</summary>
    Output = 1,

    /// <summary>Guest to host: standard error.</summary>
    Error = 2,
}
