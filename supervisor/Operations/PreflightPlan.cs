using System.Net;

namespace Vks.Supervisor.Operations;

/// <summary>What hosts are judged against.</summary>
/// <param name="Network">The management network.</param>
/// <param name="Link">Its link on the hosts.</param>
/// <param name="Addresses">Addresses that are to be put there, with what each is for.</param>
/// <param name="Ranges">Ranges that Kubernetes will use, with their names.</param>
internal sealed record PreflightPlan(IPNetwork Network, string Link, IReadOnlyDictionary<IPAddress, string> Addresses, IReadOnlyList<(string Name, IPNetwork Range)> Ranges);
