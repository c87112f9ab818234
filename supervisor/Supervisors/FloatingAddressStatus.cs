namespace Vks.Supervisor.Supervisors;

/// <summary>The floating address and who has it.</summary>
internal sealed class FloatingAddressStatus
{
    /// <summary>The address.</summary>
    public string? Address { get; set; }

    /// <summary>The member that has it; null when none says so.</summary>
    public string? Holder { get; set; }

    /// <summary>Since when it was seen there.</summary>
    public DateTime? Since { get; set; }
}
