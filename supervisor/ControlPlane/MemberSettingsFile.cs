using System.Net;
using System.Text.RegularExpressions;
using Vks.Supervisor.Configuration;

namespace Vks.Supervisor.ControlPlane;

/// <summary>The settings file of one member: YAML to <see cref="MemberSettings"/>, all faults at once.</summary>
internal static partial class MemberSettingsFile
{
    private static readonly string[] s_programs = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"];

    /// <summary>Reads the file and looks at the host: programs must be there.</summary>
    /// <param name="file">Its path.</param>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Settings"/>: every fault with its line.</exception>
    public static MemberSettings Load(string file) => YamlFields.Read(file, static (fields, _) => Read(fields));

    /// <summary>Reads the file without a look at the host: of a member that is to be ended, whatever has become of its programs.</summary>
    /// <param name="file">Its path.</param>
    public static MemberSettings LoadToEnd(string file) => YamlFields.Read(file, static (fields, _) => ReadUnchecked(fields));

    /// <summary>As <see cref="LoadToEnd"/>, from a text: of a member on another host.</summary>
    /// <param name="file">What the text is called in faults.</param>
    /// <param name="text">The YAML.</param>
    public static MemberSettings ParseUnchecked(string file, string text) => YamlFields.Parse(file, text, static (fields, _) => ReadUnchecked(fields));

    /// <summary>As <see cref="Load"/>, from a text.</summary>
    /// <param name="text">The YAML.</param>
    public static MemberSettings Parse(string text) => YamlFields.Parse("settings", text, static (fields, _) => Read(fields));

    /// <summary>Whether a text is a DNS label: what names of members, hosts and zones are.</summary>
    /// <param name="text">The text.</param>
    public static bool IsLabel(string text) => Label().IsMatch(text);

    private static MemberSettings Read(YamlFields fields)
    {
        MemberSettings settings = ReadUnchecked(fields);
        Check(fields, settings);
        return settings;
    }

    private static MemberSettings ReadUnchecked(YamlFields fields) =>
        new()
        {
            Cluster = fields.Text("cluster"),
            Name = fields.Text("name"),
            Directory = fields.Text("directory"),
            Programs = fields.Text("programs"),
            Etcd = fields.Text("etcd", "/usr/bin/etcd"),
            Size = fields.Choice("size", MemberSize.Small),
            Link = fields.Text("link"),
            Prefix = fields.Number("prefix", 1, 128),
            Address = fields.Address("address", required: true)!,
            FloatingAddress = fields.Address("floatingAddress", required: false),
            Members = fields.Items("members", static item => new MemberPeer(item.Text("name"), item.Address("address", required: true)!)),
            Join = fields.Switch("join", false),
            Services = fields.Range("services", "10.96.0.0/16") ?? default,
            Pods = fields.Range("pods", ""),
            CertificateDays = fields.Number("certificateDays", 1, 825, 90),
            Audit = fields.Section("audit", static audit => new AuditSettings(
                audit.Number("maxAgeDays", 1, 3650, 30), audit.Number("maxBackups", 1, 1000, 10), audit.Number("maxSizeMiB", 1, 10_000, 100))) ?? new AuditSettings(30, 10, 100),
            Oidc = fields.Section("oidc", ReadOidc),
            Placement = fields.Loopback("placement"),
            Zone = fields.Text("zone", ""),
            FeatureGates = fields.FeatureGates("featureGates"),
        };

    private static OidcSettings ReadOidc(YamlFields fields)
    {
        OidcSettings oidc = new()
        {
            IssuerUrl = fields.Text("issuerUrl"),
            ClientId = fields.Text("clientId"),
            UsernameClaim = fields.Text("usernameClaim", "sub"),
            UsernamePrefix = fields.Text("usernamePrefix", "oidc:"),
            GroupsClaim = fields.Text("groupsClaim", ""),
            GroupsPrefix = fields.Text("groupsPrefix", "oidc:"),
            CaFile = fields.Text("caFile", ""),
        };
        if (oidc.IssuerUrl.Length > 0 && !(Uri.TryCreate(oidc.IssuerUrl, UriKind.Absolute, out Uri? issuer) && issuer.Scheme == Uri.UriSchemeHttps))
        {
            fields.Fault("issuerUrl", $"is '{oidc.IssuerUrl}'; kube-apiserver takes https:// only");
        }

        if (oidc.CaFile.Length > 0 && !File.Exists(oidc.CaFile))
        {
            fields.Fault("caFile", $"names {oidc.CaFile}, which is not there");
        }

        return oidc;
    }

    private static void Check(YamlFields fields, MemberSettings settings)
    {
        CheckNames(fields, settings);
        CheckPaths(fields, settings);
        CheckAddresses(fields, settings);
    }

    private static void CheckNames(YamlFields fields, MemberSettings settings)
    {
        foreach ((string field, string value) in new[] { ("cluster", settings.Cluster), ("name", settings.Name) })
        {
            if (value.Length > 0 && !IsLabel(value))
            {
                fields.Fault(field, $"is '{value}'; it must be a DNS label: small letters, digits and '-', at most 63");
            }
        }

        if (settings.Zone.Length > 0 && !IsLabel(settings.Zone))
        {
            fields.Fault("zone", $"is '{settings.Zone}', which is no DNS label");
        }

        if (settings.Members.Count is 0 or > 7)
        {
            fields.Fault("members", $"has {settings.Members.Count} entries; name one or three members, this one included");
            return;
        }

        foreach (string invalid in settings.Members.Select(static member => member.Name).Where(static name => !IsLabel(name)))
        {
            fields.Fault("members", $"has the name '{invalid}', which is no DNS label");
        }

        foreach (string twice in settings.Members.GroupBy(static member => member.Name).Where(static group => group.Count() > 1).Select(static group => group.Key))
        {
            fields.Fault("members", $"has '{twice}' more than once");
        }

        MemberPeer? self = settings.Members.FirstOrDefault(member => member.Name == settings.Name);
        if (self is null)
        {
            fields.Fault("members", $"must name this member, '{settings.Name}', too");
        }
        else if (!self.Address.Equals(settings.Address))
        {
            fields.Fault("members", $"says that '{self.Name}' has the address {self.Address}, but address is {settings.Address}");
        }
    }

    private static void CheckPaths(YamlFields fields, MemberSettings settings)
    {
        if (settings.Directory.Length > 0 && !Path.IsPathFullyQualified(settings.Directory))
        {
            fields.Fault("directory", $"is '{settings.Directory}'; it must be a whole path");
        }

        if (settings.Programs.Length > 0)
        {
            string[] missing = [.. s_programs.Where(program => !File.Exists(Path.Combine(settings.Programs, program)))];
            if (missing.Length > 0)
            {
                fields.Fault("programs", $"is {settings.Programs}, which lacks {string.Join(", ", missing)}");
            }
        }

        if (!File.Exists(settings.Etcd))
        {
            fields.Fault("etcd", $"is {settings.Etcd}, which is not there. Do: apt-get install etcd-server");
        }

        if (settings.Link.Length > 0 && !LinkNames.Has(settings.Link))
        {
            fields.Fault("link", $"is '{settings.Link}', which this host does not have; it has {string.Join(", ", LinkNames.All)}");
        }
    }

    private static void CheckAddresses(YamlFields fields, MemberSettings settings)
    {
        int bits = settings.Address.GetAddressBytes().Length * 8;
        if (settings.Prefix > bits - 1)
        {
            fields.Fault("prefix", $"is {settings.Prefix}; a network of {bits}-bit addresses has a prefix of at most {bits - 1}");
            return;
        }

        (string, IPAddress)[] inside = [.. settings.Members.Select(static (member, index) => ($"members[{index}].address", member.Address)),
            .. settings.FloatingAddress is { } floating ? [("floatingAddress", floating)] : Array.Empty<(string, IPAddress)>()];
        IPNetwork network = AddressRanges.NetworkOf(settings.Address, settings.Prefix);
        foreach ((string field, IPAddress address) in inside.Where(entry => !network.Contains(entry.Item2)))
        {
            fields.Fault(field, $"is {address}, which is not in the management network {network}");
        }

        if (settings.FloatingAddress is { } shared && settings.Members.Any(member => member.Address.Equals(shared)))
        {
            fields.Fault("floatingAddress", $"is {shared}, which is a member's own address");
        }

        List<(string Name, IPNetwork Range)> ranges = [("services", settings.Services), ("the management network", network)];
        if (settings.Pods is { } pods)
        {
            ranges.Add(("pods", pods));
        }

        foreach (string overlap in AddressRanges.Overlaps(ranges))
        {
            fields.Fault("services", $"and others must not overlap: {overlap}");
        }
    }

    [GeneratedRegex("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
    private static partial Regex Label();
}
