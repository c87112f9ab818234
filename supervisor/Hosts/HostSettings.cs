namespace Vks.Supervisor.Hosts;

/// <summary>A host that members may be put on.</summary>
/// <param name="Name">Its name, a DNS label.</param>
/// <param name="Zone">The zone it belongs to.</param>
/// <param name="Reach">The command that runs programs there, such as <c>ssh root@host</c>.</param>
internal sealed record HostSettings(string Name, string Zone, IReadOnlyList<string> Reach)
{
    /// <summary>URL of its Spherelet's machines API, <c>https://10.0.0.21:10260</c>: a member there is a machine. Empty: members are processes, reached by <see cref="Reach"/>.</summary>
    public string Spherelet { get; init; } = "";

    /// <summary>Whether members there are machines.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public bool HasMachines => Spherelet.Length > 0;
}
