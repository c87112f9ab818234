namespace Vks.Runtime.Machines;

/// <summary>What <see cref="MachineAdmission"/> says to a command.</summary>
internal abstract record Admission
{
    private Admission()
    {
    }

    /// <summary>Do it.</summary>
    internal sealed record Accepted : Admission;

    /// <summary>It is done or under way already; the asker shares its outcome.</summary>
    internal sealed record AlreadyAsked : Admission;

    /// <summary>It cannot be done in this state.</summary>
    /// <param name="Fault">The fault for the asker.</param>
    /// <param name="Reason">Why, in words for a person.</param>
    internal sealed record Refused(MachineFault Fault, string Reason) : Admission;
}
