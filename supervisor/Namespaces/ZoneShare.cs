namespace Vks.Supervisor.Namespaces;

/// <summary>One zone of a namespace.</summary>
internal sealed class ZoneShare
{
    /// <summary>Name of the zone.</summary>
    public string Name { get; set; } = "";

    /// <summary>Pods of the namespace that are in it.</summary>
    public int Pods { get; set; }

    /// <summary>Whether the zone can take pods.</summary>
    public bool Ready { get; set; }
}
