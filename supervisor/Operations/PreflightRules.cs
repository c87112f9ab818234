using System.Globalization;
using System.Net;
using Vks.Supervisor.Configuration;
using Vks.Supervisor.Hosts;

namespace Vks.Supervisor.Operations;

/// <summary>Judges hosts before a control plane is put on them. Pure. Each rule is one that cost people days elsewhere.</summary>
internal static class PreflightRules
{
    /// <summary>Tokens and certificates are judged by the clock; etcd warns from one second on.</summary>
    private static readonly TimeSpan s_skew = TimeSpan.FromSeconds(1);

    private const double ClockErrorSeconds = 0.5;
    private const int LeastMtu = 1280;
    private const long LeastFreeBytes = 4L << 30;

    /// <summary>All findings, the severe first.</summary>
    /// <param name="plan">What is to be.</param>
    /// <param name="hosts">What the hosts said, by the names that the plan's author gave them; with when each was asked and had answered.</param>
    public static IReadOnlyList<Finding> Judge(PreflightPlan plan, IReadOnlyDictionary<string, AskedHost> hosts) =>
    [
        .. hosts.SelectMany(host => OneHost(plan, host.Key, host.Value.Facts))
            .Concat(Names(hosts)).Concat(Clocks(hosts)).Concat(Mtus(hosts))
            .Concat(AddressRanges.Overlaps([("the management network", plan.Network), .. plan.Ranges])
                .Select(static overlap => new Finding("ranges", "", true, overlap, "give one of them another range")))
            .OrderByDescending(static finding => finding.Severe),
    ];

    private static IEnumerable<Finding> OneHost(PreflightPlan plan, string host, HostFacts facts)
    {
        if (facts.HostName is "localhost" or "localhost.localdomain" or "")
        {
            yield return new Finding("hostname", host, true, $"its host name is '{facts.HostName}', so nodes and leases of several hosts would be one", $"on {host}: hostnamectl set-hostname {host}");
        }

        if (facts.OwnNameAddresses.Count == 0)
        {
            yield return new Finding("hostname", host, false, $"it finds no address for its own name '{facts.HostName}'", $"on {host}: add '{(facts.LinkAddresses.Count > 0 ? facts.LinkAddresses[0] : "its address")} {facts.HostName}' to /etc/hosts");
        }

        if (facts.Mtu is null)
        {
            yield return new Finding("link", host, true, $"it has no link '{plan.Link}'", "name the management link of all hosts: ip -br link");
        }
        else if (!facts.LinkUp)
        {
            yield return new Finding("link", host, true, $"its link {plan.Link} is down", $"on {host}: ip link set {plan.Link} up");
        }

        if (facts.Mtu is < LeastMtu)
        {
            yield return new Finding("mtu", host, true, $"MTU of {plan.Link} is {facts.Mtu}; IPv6 and tunnels need {LeastMtu}", $"on {host}: ip link set {plan.Link} mtu 1500");
        }

        if (facts.RpFilter == 1)
        {
            yield return new Finding(
                "rp_filter", host, false, $"rp_filter of {plan.Link} is 1 (strict): answers that leave by another link than the question came in are dropped, the floating address's among them",
                $"on {host}: sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.{plan.Link}.rp_filter=2, and the same in /etc/sysctl.d");
        }

        foreach ((string address, string hardware) in facts.Taken.Where(taken => IPAddress.TryParse(taken.Key, out IPAddress? found) && plan.Addresses.ContainsKey(found)))
        {
            yield return new Finding(
                "duplicate address", host, true, $"{address}, which is to be {plan.Addresses[IPAddress.Parse(address)]}, is in use already: {hardware} answers for it", "free that address, or choose five others: ip neighbour");
        }

        foreach ((HostRoute route, string name, IPNetwork range) in
            from route in facts.Routes where route.Network is not null
            from range in plan.Ranges
            where AddressRanges.Overlaps([("route", route.Network!.Value), (range.Name, range.Range)]).Any()
            select (route, range.Name, range.Range))
        {
            yield return new Finding("ranges", host, true, $"{name} {range} overlaps with {route.Range}, to which it has a route by {route.Link}", $"give {name} another range, or take that route away");
        }

        foreach (string name in facts.Names.Where(static name => name.Value.Length == 0).Select(static name => name.Key))
        {
            yield return new Finding("dns", host, true, $"it finds no address for {name}", $"on {host}: check /etc/resolv.conf, or add {name} to the DNS or to /etc/hosts");
        }

        foreach (string program in facts.MissingPrograms)
        {
            yield return new Finding("programs", host, true, $"it has no {program}", $"on {host}: {WayTo(program)}");
        }

        if (facts.FreeBytes < LeastFreeBytes)
        {
            yield return new Finding("disk", host, false, $"{facts.FreeBytes >> 20} MiB are free for etcd and logs; {LeastFreeBytes >> 20} MiB should be", "free some, or name another directory");
        }

        if (facts.ClockErrorSeconds is null)
        {
            yield return new Finding("clock", host, false, "nothing keeps its clock right", $"on {host}: apt-get install chrony");
        }
        else if (facts.ClockErrorSeconds > ClockErrorSeconds)
        {
            yield return new Finding("clock", host, true, string.Create(CultureInfo.InvariantCulture, $"its clock is off by {facts.ClockErrorSeconds:0.0} s by its own account"), $"on {host}: chronyc makestep");
        }
    }

    private static IEnumerable<Finding> Names(IReadOnlyDictionary<string, AskedHost> hosts) =>
        hosts.GroupBy(static host => host.Value.Facts.HostName).Where(static group => group.Count() > 1)
            .Select(static group => new Finding(
                "hostname", "", true, $"hosts {string.Join(", ", group.Select(static host => host.Key))} all call themselves '{group.Key}'", "give each its own: hostnamectl set-hostname NAME"));

    /// <summary>A clock cannot be read at one moment from afar, only between asking and the answer: what lies outside is skew for certain.</summary>
    private static IEnumerable<Finding> Clocks(IReadOnlyDictionary<string, AskedHost> hosts)
    {
        foreach ((string host, AskedHost asked) in hosts)
        {
            TimeSpan skew = asked.Facts.Clock < asked.Begin ? asked.Begin - asked.Facts.Clock : asked.Facts.Clock > asked.End ? asked.Facts.Clock - asked.End : TimeSpan.Zero;
            if (skew > s_skew)
            {
                yield return new Finding("clock", host, true, string.Create(CultureInfo.InvariantCulture, $"its clock differs from this host's by {skew.TotalSeconds:0.0} s"), $"on {host} and here: apt-get install chrony; chronyc makestep");
            }
        }
    }

    private static IEnumerable<Finding> Mtus(IReadOnlyDictionary<string, AskedHost> hosts)
    {
        string[] found = [.. hosts.Where(static host => host.Value.Facts.Mtu is not null).GroupBy(static host => host.Value.Facts.Mtu!.Value)
            .OrderBy(static group => group.Key).Select(static group => $"{group.Key} on {string.Join(", ", group.Select(static host => host.Key))}")];
        if (found.Length > 1)
        {
            yield return new Finding("mtu", "", true, $"MTUs of one network differ: {string.Join("; ", found)}", "set the least of them on all: ip link set LINK mtu N");
        }
    }

    private static string WayTo(string program) => Path.GetFileName(program) switch
    {
        string image when image.EndsWith(".sqfs", StringComparison.Ordinal) => "./vks build controlplane, or name another with --machines-image",
        string name when name.Contains("etcd", StringComparison.Ordinal) => "apt-get install etcd-server",
        string name when name.Contains("kube", StringComparison.Ordinal) => "put Kubernetes' server programs there",
        _ => $"apt-get install the package of {program}",
    };
}
