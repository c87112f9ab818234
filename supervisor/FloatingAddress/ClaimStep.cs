namespace Vks.Supervisor.FloatingAddress;

/// <summary>What a member is to do next about the floating address.</summary>
internal abstract record ClaimStep
{
    /// <summary>Read the record.</summary>
    internal sealed record Look : ClaimStep;

    /// <summary>Write the record if it has still the revision; on success the address is this member's until <see cref="ClaimTiming.Hold"/> after the sending.</summary>
    /// <param name="Revision">The revision; 0 when there must be no record.</param>
    /// <param name="Record">What to write.</param>
    internal sealed record Write(long Revision, AddressRecord Record) : ClaimStep;

    /// <summary>Take the address off the link; only when it is gone, write the record if it has still the revision.</summary>
    /// <param name="Revision">The revision.</param>
    /// <param name="Record">What to write.</param>
    internal sealed record GiveUp(long Revision, AddressRecord Record) : ClaimStep;
}
