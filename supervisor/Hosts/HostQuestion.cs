using System.Net;

namespace Vks.Supervisor.Hosts;

/// <summary>What a host is asked about.</summary>
/// <param name="Link">Its management link.</param>
/// <param name="Probe">Addresses to look for on that link.</param>
/// <param name="Names">Names to be found by DNS.</param>
/// <param name="Programs">Programs that must be there: paths, or names in PATH.</param>
/// <param name="Directory">Where the member's data is to be.</param>
internal sealed record HostQuestion(string Link, IReadOnlyList<IPAddress> Probe, IReadOnlyList<string> Names, IReadOnlyList<string> Programs, string Directory)
{
    /// <summary>Programs of Kubernetes whose version is wanted: paths.</summary>
    public IReadOnlyList<string> Versions { get; init; } = [];
}
