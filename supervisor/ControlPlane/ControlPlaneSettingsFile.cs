using System.Net;
using Vks.Supervisor.Configuration;
using Vks.Supervisor.Hosts;

namespace Vks.Supervisor.ControlPlane;

/// <summary>The file of <c>supervisor init</c>: YAML to <see cref="ControlPlaneSettings"/>, all faults at once.</summary>
internal static class ControlPlaneSettingsFile
{
    /// <summary>Reads it.</summary>
    /// <param name="file">Its path.</param>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Settings"/>: every fault with its line.</exception>
    public static ControlPlaneSettings Load(string file) => YamlFields.Read(file, static (fields, _) => Read(fields));

    /// <summary>As <see cref="Load"/>, from a text.</summary>
    /// <param name="text">The YAML.</param>
    public static ControlPlaneSettings Parse(string text) => YamlFields.Parse("settings", text, static (fields, _) => Read(fields));

    private static ControlPlaneSettings Read(YamlFields fields)
    {
        IReadOnlyList<(string Zone, IReadOnlyList<HostSettings> Hosts)> zones = fields.Items("zones", static zone =>
        {
            string name = zone.Text("name");
            return (name, zone.Items("hosts", host => ReadHost(host, name)));
        });
        bool machinesOnly = zones.SelectMany(static zone => zone.Hosts).All(static host => host.HasMachines);
        MemberSize size = fields.Choice("size", MemberSize.Small);
        IPAddress? gateway = fields.Address("gateway", required: false);
        ControlPlaneSettings settings = new()
        {
            Name = fields.Text("name"),
            Replicas = fields.Number("replicas", 1, 3, 3),
            Size = size,
            FirstAddress = fields.Address("firstAddress", required: true)!,
            Prefix = fields.Number("prefix", 1, 127),
            Link = fields.Text("link"),
            Directory = fields.Text("directory", "/var/lib/vks-member"),
            Programs = fields.Text("programs", machinesOnly ? "" : null),
            Etcd = fields.Text("etcd", "/usr/bin/etcd"),
            Supervisor = fields.Text("supervisor", Environment.ProcessPath),
            Services = fields.Range("services", "10.96.0.0/16") ?? default,
            Pods = fields.Range("pods", ""),
            Placement = fields.Loopback("placement"),
            FeatureGates = fields.FeatureGates("featureGates"),
            Gateway = gateway,
            Machine = fields.Section("machine", machine => ReadMachine(machine, MachineSize.Of(size))) ?? MachineSize.Of(size),
            Zones = [.. zones.Select(static zone => zone.Zone)],
            Hosts = [.. zones.SelectMany(static zone => zone.Hosts)],
        };
        CheckZones(fields, settings);
        CheckAddresses(fields, settings, gateway);
        return settings;
    }

    private static HostSettings ReadHost(YamlFields fields, string zone)
    {
        HostSettings host = new(fields.Text("name"), zone, fields.Texts("reach")) { Spherelet = fields.Text("spherelet", "") };
        if (host.HasMachines && host.Reach.Count > 0)
        {
            fields.Fault("spherelet", "is there, and so is reach; a host is reached by one of them");
        }

        if (host.HasMachines && !(Uri.TryCreate(host.Spherelet, UriKind.Absolute, out Uri? url) && url.Scheme == Uri.UriSchemeHttps && url.PathAndQuery == "/"))
        {
            fields.Fault("spherelet", $"is '{host.Spherelet}'; it must be the Spherelet's machines API, https://ADDRESS:PORT");
        }

        return host;
    }

    private static MachineSize ReadMachine(YamlFields fields, MachineSize usual) => new(
        fields.Number("vcpus", 1, 64, usual.VcpuCount), fields.Number("memoryMiB", 1024, 1_048_576, usual.MemoryMiB), fields.Number("diskMiB", 1024, 16_777_216, usual.DiskMiB));

    private static void CheckZones(YamlFields fields, ControlPlaneSettings settings)
    {
        if (settings.Name.Length > 0 && !MemberSettingsFile.IsLabel(settings.Name))
        {
            fields.Fault("name", $"is '{settings.Name}'; it must be a DNS label: small letters, digits and '-'");
        }

        if (settings.Replicas == 2)
        {
            fields.Fault("replicas", "is 2, of which none may fail, just as of 1; choose 1 or 3");
        }

        if (settings.Zones.Count is not (1 or 3))
        {
            fields.Fault("zones", $"has {settings.Zones.Count} zones; a Supervisor has one or three");
        }
        else if (settings.Zones.Count == 3 && settings.Replicas != 3)
        {
            fields.Fault("replicas", $"is {settings.Replicas}; three zones need three members, one in each");
        }

        foreach (string name in settings.Zones.Concat(settings.Hosts.Select(static host => host.Name)).Where(static name => name.Length > 0 && !MemberSettingsFile.IsLabel(name)))
        {
            fields.Fault("zones", $"has the name '{name}', which is no DNS label");
        }

        foreach (string twice in settings.Zones.GroupBy(static name => name).Concat(settings.Hosts.Select(static host => host.Name).GroupBy(static name => name))
            .Where(static group => group.Count() > 1).Select(static group => group.Key))
        {
            fields.Fault("zones", $"has '{twice}' more than once");
        }

        foreach (string zone in settings.Zones.Where(zone => settings.Hosts.All(host => host.Zone != zone)))
        {
            fields.Fault("zones", $"has '{zone}' without a host");
        }

        if (settings.Zones.Count == 1 && settings.Hosts.Count < settings.Replicas)
        {
            fields.Fault("zones", $"has {settings.Hosts.Count} hosts; {settings.Replicas} members need a host each");
        }

        if (settings.Directory.Length > 0 && !Path.IsPathFullyQualified(settings.Directory))
        {
            fields.Fault("directory", $"is '{settings.Directory}'; it must be a whole path");
        }
    }

    private static void CheckAddresses(YamlFields fields, ControlPlaneSettings settings, IPAddress? gateway)
    {
        int bits = settings.FirstAddress.GetAddressBytes().Length * 8;
        if (settings.Prefix > bits - 3)
        {
            fields.Fault("prefix", $"is {settings.Prefix}; five addresses and more must be in the network, so at most {bits - 3}");
            return;
        }

        IPNetwork network = AddressRanges.NetworkOf(settings.FirstAddress, settings.Prefix);
        IPAddress last;
        try
        {
            last = settings.PatchAddress;
        }
        catch (OverflowException)
        {
            fields.Fault("firstAddress", $"is {settings.FirstAddress}, after which there are no four more");
            return;
        }

        bool broadcast = bits == 32 && !network.Contains(AddressRanges.Next(last, 1));
        if (!network.Contains(last) || broadcast || settings.FirstAddress.Equals(network.BaseAddress))
        {
            fields.Fault("firstAddress", $"is {settings.FirstAddress}; it and the four after it, up to {last}, must be hosts' addresses of one network, {network}");
        }

        if (gateway is not null && (!network.Contains(gateway) || Enumerable.Range(0, 5).Any(step => AddressRanges.Next(settings.FirstAddress, step).Equals(gateway))))
        {
            fields.Fault("gateway", $"is {gateway}; it must be in {network}, and none of the five addresses {settings.FirstAddress} to {last}");
        }

        List<(string, IPNetwork)> ranges = [("services", settings.Services), ("the management network", network), .. settings.Pods is { } pods ? [("pods", pods)] : Array.Empty<(string, IPNetwork)>()];
        foreach (string overlap in AddressRanges.Overlaps(ranges))
        {
            fields.Fault("services", $"and others must not overlap: {overlap}");
        }
    }
}
