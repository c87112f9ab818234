using System.Globalization;
using Vks.Supervisor.Configuration;
using Vks.Supervisor.Hosts;

namespace Vks.Supervisor.ControlPlane;

/// <summary>A control plane's settings to members, hosts and their settings files. Pure.</summary>
internal static class ControlPlanePlan
{
    /// <summary>The members: one in each of three zones, or on the first hosts of one.</summary>
    /// <param name="settings">The control plane.</param>
    public static IReadOnlyList<PlannedMember> Members(ControlPlaneSettings settings)
    {
        IEnumerable<HostSettings> hosts = settings.Zones.Count == 3 ? settings.Zones.Select(zone => settings.Hosts.First(host => host.Zone == zone)) : settings.Hosts;
        return [.. hosts.Take(settings.Replicas).Select((host, index) => new PlannedMember(
            string.Create(CultureInfo.InvariantCulture, $"{settings.Name}-{index + 1}"), host, AddressRanges.Next(settings.FirstAddress, index)))];
    }

    /// <summary>The name of a member's settings file in its folder.</summary>
    public const string SettingsName = "member.yaml";

    /// <summary>Where a member's settings file is on its host.</summary>
    /// <param name="settings">The control plane.</param>
    /// <param name="member">The member.</param>
    public static string FileOf(ControlPlaneSettings settings, PlannedMember member) => Path.Combine(DirectoryOf(settings, member), SettingsName);

    /// <summary>The folder of a member's files on its host.</summary>
    /// <param name="settings">The control plane.</param>
    /// <param name="member">The member.</param>
    public static string DirectoryOf(ControlPlaneSettings settings, PlannedMember member) => Path.Combine(On(settings, member.Host).Directory, member.Name);

    /// <summary>The settings as they are where a host's members run: in a machine, places are those of its image.</summary>
    /// <param name="settings">The control plane.</param>
    /// <param name="host">The host.</param>
    public static ControlPlaneSettings On(ControlPlaneSettings settings, HostSettings host) => host.HasMachines
        ? settings with { Directory = SphereletPlaces.Directory, Programs = SphereletPlaces.Programs, Etcd = SphereletPlaces.Etcd, Supervisor = SphereletPlaces.Supervisor, Link = SphereletPlaces.Link }
        : settings;

    /// <summary>What all members are told alike: a member that was told something else is replaced. Lines of <see cref="Text"/>, and the Supervisor's program.</summary>
    /// <param name="settings">The control plane.</param>
    public static string Shared(ControlPlaneSettings settings)
    {
        string[] own = ["#", "name:", "directory:", "address:", "members:", "join:", "zone:"];
        IEnumerable<string> lines = Text(settings, new PlannedMember("member", settings.Hosts[0], settings.FirstAddress), [], join: false).Split('\n');
        return string.Join('\n', lines.Append($"supervisor: {On(settings, settings.Hosts[0]).Supervisor}").Where(line => line.Trim().Length > 0 && !own.Any(begin => line.StartsWith(begin, StringComparison.Ordinal))));
    }

    /// <summary>A member's settings file.</summary>
    /// <param name="settings">The control plane.</param>
    /// <param name="member">The member.</param>
    /// <param name="members">All members that etcd's cluster has when it starts for the first time.</param>
    /// <param name="join">Whether the others run already.</param>
    public static string Text(ControlPlaneSettings settings, PlannedMember member, IEnumerable<MemberPeer> members, bool join) => TextThere(On(settings, member.Host), member, members, join);

    private static string TextThere(ControlPlaneSettings settings, PlannedMember member, IEnumerable<MemberPeer> members, bool join) => $$"""
        # Written by supervisor init or apply, which write the file anew.
        cluster: {{settings.Name}}
        name: {{member.Name}}
        directory: {{DirectoryOf(settings, member)}}
        programs: {{settings.Programs}}
        etcd: {{settings.Etcd}}
        size: {{settings.Size.ToString().ToLowerInvariant()}}
        link: {{settings.Link}}
        prefix: {{settings.Prefix.ToString(CultureInfo.InvariantCulture)}}
        address: "{{member.Address}}"
        floatingAddress: "{{settings.FloatingAddress}}"
        members:
        {{string.Join('\n', members.Select(static peer => $"- {{ name: {peer.Name}, address: \"{peer.Address}\" }}"))}}
        join: {{(join ? "true" : "false")}}
        services: "{{settings.Services}}"
        {{(settings.Pods is { } pods ? $"pods: \"{pods}\"" : "")}}
        {{(settings.Placement is { } placement ? $"placement: \"{placement}\"" : "")}}
        {{(settings.FeatureGates.Length > 0 ? $"featureGates: \"{settings.FeatureGates}\"" : "")}}
        zone: {{member.Host.Zone}}

        """;
}
