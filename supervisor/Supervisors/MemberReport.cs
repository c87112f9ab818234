using System.Text.Json;
using System.Text.Json.Serialization;
using k8s.Models;
using Vks.Supervisor.ControlPlane;

namespace Vks.Supervisor.Supervisors;

/// <summary>What a member says of itself to the others, by way of the API: an annotation on a Lease of its own, whose renewal is its sign of life.</summary>
internal sealed record MemberReport
{
    /// <summary>Where the Leases are.</summary>
    public const string Space = "vks-system";

    /// <summary>Label of the Leases: the control plane's name.</summary>
    public const string Mark = "supervisor.vks.dev/member-of";

    /// <summary>Annotation of the Leases: the report, JSON.</summary>
    public const string Annotation = "supervisor.vks.dev/member-report";

    /// <summary>A program that ended is started again at once: that it runs says little in its first moments.</summary>
    private static readonly TimeSpan s_steady = TimeSpan.FromSeconds(20);

    /// <summary>The member.</summary>
    public required string Name { get; init; }

    /// <summary>Its host's name.</summary>
    public required string Host { get; init; }

    /// <summary>Its host's zone, or empty.</summary>
    public required string Zone { get; init; }

    /// <summary>Its management address.</summary>
    public required string Address { get; init; }

    /// <summary>Its version of Kubernetes, or empty.</summary>
    public required string Version { get; init; }

    /// <summary>It serves the API.</summary>
    public required bool Ready { get; init; }

    /// <summary>Why it does not, or empty.</summary>
    public required string Why { get; init; }

    /// <summary>It has the floating address.</summary>
    public required bool HasFloatingAddress { get; init; }

    /// <summary>Its etcd is one of a majority.</summary>
    public required bool EtcdServes { get; init; }

    /// <summary>Its etcd leads the others.</summary>
    public required bool EtcdLeads { get; init; }

    /// <summary>What its etcd complains of, or empty.</summary>
    public required string EtcdProblem { get; init; }

    /// <summary>Names of all members that its etcd's cluster has.</summary>
    public required IReadOnlyList<string> Members { get; init; }

    /// <summary>Names of its programs that do not run, or have been started again a moment ago.</summary>
    public required IReadOnlyList<string> Unsteady { get; init; }

    /// <summary>The placement service on its host listens.</summary>
    public required bool Places { get; init; }

    /// <summary>When the first of its certificates ends.</summary>
    public required DateTimeOffset CertificatesEnd { get; init; }

    /// <summary>Name of a member's Lease.</summary>
    /// <param name="member">The member.</param>
    public static string LeaseOf(string member) => "member-" + member;

    /// <summary>From what the member says on its own host.</summary>
    /// <param name="state">That.</param>
    /// <param name="places">Whether the placement service there listens.</param>
    public static MemberReport Of(MemberState state, bool places) => new()
    {
        Name = state.Name,
        Host = state.Host,
        Zone = state.Zone,
        Address = state.Address,
        Version = state.KubernetesVersion.TrimStart('v'),
        Ready = state.Ready,
        Why = state.Why,
        HasFloatingAddress = state.HasFloatingAddress,
        EtcdServes = state.Etcd.Serves,
        EtcdLeads = state.Etcd.IsLeader,
        EtcdProblem = state.Etcd.Problem,
        Members = state.Etcd.Members ?? [],
        Unsteady = [.. state.Programs.Where(program => program.ProcessId == 0 || (program.Starts > 1 && state.At - program.Since < s_steady)).Select(static program => program.Name)],
        Places = places,
        CertificatesEnd = state.CertificatesEnd,
    };

    /// <summary>As text.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, MemberReportJson.Default.MemberReport);

    /// <summary>From a Lease; null when there is none on it, or one that cannot be read.</summary>
    /// <param name="lease">The Lease.</param>
    public static MemberReport? From(V1Lease lease)
    {
        try
        {
            return lease.Metadata.Annotations?.TryGetValue(Annotation, out string? text) == true ? JsonSerializer.Deserialize(text, MemberReportJson.Default.MemberReport) : null;
        }
        catch (JsonException)
        {
            // Written by another version of ours: its next report may be better.
            return null;
        }
    }
}

/// <summary>The JSON of reports.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(MemberReport))]
internal sealed partial class MemberReportJson : JsonSerializerContext;
