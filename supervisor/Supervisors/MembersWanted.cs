namespace Vks.Supervisor.Supervisors;

/// <summary>How many members, and which.</summary>
internal sealed class MembersWanted
{
    /// <summary>1 or 3.</summary>
    public int Replicas { get; set; } = 1;

    /// <summary><c>tiny</c>, <c>small</c>, <c>medium</c> or <c>large</c>.</summary>
    public string Size { get; set; } = "small";

    /// <summary>The version of Kubernetes that they should run; null: any, but all the same.</summary>
    public string? Version { get; set; }
}
