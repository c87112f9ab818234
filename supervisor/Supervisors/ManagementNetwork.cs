namespace Vks.Supervisor.Supervisors;

/// <summary>The network of the members' own addresses.</summary>
internal sealed class ManagementNetwork
{
    /// <summary>The first of five consecutive addresses: three members', the floating one, and one for replacements.</summary>
    public string StartingAddress { get; set; } = "";

    /// <summary>Length of its prefix, in bits.</summary>
    public int PrefixLength { get; set; }
}
