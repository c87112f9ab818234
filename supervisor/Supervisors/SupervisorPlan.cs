using System.Globalization;
using System.Net;
using Vks.Supervisor.Configuration;
using Vks.Supervisor.ControlPlane;
using Vks.Supervisor.Kubernetes;

namespace Vks.Supervisor.Supervisors;

/// <summary>How a control plane is, computed from what its members say. Pure.</summary>
internal static class SupervisorPlan
{
    /// <summary>Condition: as many members as are wanted, and no others.</summary>
    public const string MembersPresent = "MembersPresent";

    /// <summary>Condition: a member in each zone.</summary>
    public const string ZonesCovered = "ZonesCovered";

    /// <summary>Condition: all members serve the API.</summary>
    public const string MembersReady = "MembersReady";

    /// <summary>Condition: all programs of all members run, and have not just been started again.</summary>
    public const string ProgramsSteady = "ProgramsSteady";

    /// <summary>Condition: each member's host has a placement service that listens.</summary>
    public const string PlacementServed = "PlacementServed";

    /// <summary>Condition: all members' etcds are one cluster with a leader, and none complains.</summary>
    public const string EtcdHealthy = "EtcdHealthy";

    /// <summary>Condition: a member has the floating address.</summary>
    public const string FloatingAddressHeld = "FloatingAddressHeld";

    /// <summary>Condition: all members run one version, the one that is wanted.</summary>
    public const string VersionsMatch = "VersionsMatch";

    /// <summary>Condition: no certificate has ended.</summary>
    public const string CertificatesValid = "CertificatesValid";

    /// <summary>Condition: all of that.</summary>
    public const string Ready = "Ready";

    /// <summary>Reason of <see cref="MembersPresent"/>: one more than wanted, while a member is being replaced.</summary>
    private const string TooMany = "MembersTooMany";

    /// <summary>Four reports that did not come.</summary>
    public static readonly TimeSpan SilentAfter = MemberReporter.Every * 4;

    /// <summary>The status.</summary>
    /// <param name="item">The object with its former status.</param>
    /// <param name="members">Its members.</param>
    /// <param name="time">Clock.</param>
    public static SupervisorStatus Status(SupervisorObject item, IReadOnlyCollection<SeenMember> members, TimeProvider time)
    {
        SeenMember[] all = [.. members.OrderBy(static member => member.Report.Name, StringComparer.Ordinal)];
        ConditionSet conditions = new(item.Status?.Conditions, item.Metadata.Generation, time);
        DescribeMembers(conditions, item, all);
        DescribeEtcd(conditions, all);

        // Of several that say so the one that said it last: who took the address did it after the other had lost it, and that one may not have come to say so.
        string? holder = all.Where(static member => !member.IsSilent && member.Report.HasFloatingAddress).MinBy(static member => member.SilentFor)?.Report.Name;
        conditions.Set(FloatingAddressHeld, holder is not null, holder is null ? "NobodyHoldsIt" : "Held", holder is null ? "No member says that it has the floating address" : $"By {holder}");
        DescribeVersions(conditions, item, all);
        DescribeCertificates(conditions, all, time);
        conditions.Summarize(Ready, "AllMembersServe");
        int ready = all.Count(static member => member.IsReady);
        return new SupervisorStatus
        {
            ObservedGeneration = item.Metadata.Generation,
            Phase = Phase(conditions, item.Status?.Phase, ready > item.Spec.ControlPlane.Replicas / 2),
            ReadyMembers = string.Create(CultureInfo.InvariantCulture, $"{ready}/{item.Spec.ControlPlane.Replicas}"),
            Version = Lowest(all),
            Endpoint = Step(item, 3) is { } floating ? $"https://{MemberSettings.UrlHost(floating)}:{MemberSettings.ApiPort}" : null,
            PatchAddress = Step(item, 4)?.ToString(),
            FloatingAddress = new FloatingAddressStatus
            {
                Address = Step(item, 3)?.ToString(),
                Holder = holder,
                Since = holder is null ? null : item.Status?.FloatingAddress is { } before && before.Holder == holder && before.Since is { } since ? since : time.GetUtcNow().UtcDateTime,
            },
            Members = [.. all.Select(StatusOf)],
            Conditions = conditions.Now,
        };
    }

    private static void DescribeMembers(ConditionSet conditions, SupervisorObject item, SeenMember[] all)
    {
        int wanted = item.Spec.ControlPlane.Replicas;
        conditions.Set(
            MembersPresent, all.Length == wanted, all.Length == wanted ? "AllPresent" : all.Length < wanted ? "MembersMissing" : TooMany,
            all.Length == wanted ? "" : $"{all.Length} of {wanted} members have said how they are{(all.Length > 0 ? $": {Names(all)}" : "")}");
        string[] bare = [.. (item.Spec.Zones ?? []).Where(zone => item.Spec.Zones!.Count > 1 && all.All(member => member.Report.Zone != zone))];
        conditions.Set(ZonesCovered, bare.Length == 0, bare.Length == 0 ? "ZonesCovered" : "ZoneWithoutMember", bare.Length == 0 ? "" : $"No member is in {string.Join(", ", bare)}");
        string[] bad = [.. all.Where(static member => !member.IsReady).Select(static member => $"{member.Report.Name}: {Why(member)}")];
        conditions.Set(MembersReady, bad.Length == 0 && all.Length > 0, bad.Length == 0 ? all.Length > 0 ? "AllServe" : "NoMember" : "MembersNotReady", string.Join("; ", bad));
        SeenMember[] speaking = [.. all.Where(static member => !member.IsSilent)];
        string[] unsteady = [.. speaking.Where(static member => member.Report.Unsteady.Count > 0).Select(static member => $"{member.Report.Name}: {string.Join(", ", member.Report.Unsteady)}")];
        conditions.Set(
            ProgramsSteady, unsteady.Length == 0, unsteady.Length == 0 ? "AllRun" : "ProgramsRestart",
            unsteady.Length == 0 ? "" : $"These do not run, or were started again: {string.Join("; ", unsteady)}. Their logs are in log/ of the member's folder");
        string[] deaf = [.. speaking.Where(static member => !member.Report.Places).Select(static member => member.Report.Name)];
        conditions.Set(PlacementServed, deaf.Length == 0, deaf.Length == 0 ? "AllServe" : "ServiceMissing", deaf.Length == 0 ? "" : $"No placement service listens beside {string.Join(", ", deaf)}");
    }

    private static void DescribeEtcd(ConditionSet conditions, SeenMember[] all)
    {
        SeenMember[] speaking = [.. all.Where(static member => !member.IsSilent)];
        string[] bad = [.. speaking.Where(static member => !member.Report.EtcdServes || member.Report.EtcdProblem.Length > 0)
            .Select(static member => $"{member.Report.Name}: {(member.Report.EtcdProblem.Length > 0 ? member.Report.EtcdProblem : "does not serve")}")];
        bool? healthy = speaking.Length == 0 ? null : bad.Length == 0 && speaking.Any(static member => member.Report.EtcdLeads);
        conditions.Set(
            EtcdHealthy, healthy, healthy == true ? "EtcdHealthy" : healthy is null ? "NothingSaid" : bad.Length > 0 ? "EtcdComplains" : "LeaderNotSeen",
            bad.Length > 0 ? string.Join("; ", bad) : healthy == false ? "None of the members that speak has the etcd that leads" : "");
    }

    private static void DescribeVersions(ConditionSet conditions, SupervisorObject item, SeenMember[] all)
    {
        string? wanted = item.Spec.ControlPlane.Version?.TrimStart('v');
        string[] found = [.. all.Select(static member => member.Report.Version).Where(static version => version.Length > 0).Distinct().Order(StringComparer.Ordinal)];
        bool match = found.Length == 0 || (found.Length == 1 && (wanted is null || found[0] == wanted));
        string each = string.Join(", ", all.Select(static member => $"{member.Report.Name} {member.Report.Version}"));
        conditions.Set(
            VersionsMatch, found.Length == 0 ? null : match, found.Length == 0 ? "NothingSaid" : match ? "OneVersion" : found.Length > 1 ? "SeveralVersions" : "OtherVersion",
            match ? "" : $"Members run {each}{(wanted is null ? "" : $"; wanted is {wanted}")}");
    }

    private static void DescribeCertificates(ConditionSet conditions, SeenMember[] all, TimeProvider time)
    {
        string[] ended = [.. all.Where(member => member.Report.CertificatesEnd <= time.GetUtcNow())
            .Select(static member => string.Create(CultureInfo.InvariantCulture, $"{member.Report.Name} since {member.Report.CertificatesEnd:u}"))];
        conditions.Set(
            CertificatesValid, ended.Length == 0, ended.Length == 0 ? "CertificatesValid" : "CertificatesEnded",
            ended.Length == 0 ? "" : $"Certificates have ended: {string.Join(", ", ended)}. Members make new ones by themselves: look at log/member.log on their hosts");
    }

    /// <summary>
    /// Configuring until all was well once, and while members are one too many or of several versions; then Running as long as a majority serves and the
    /// address is held, whatever else there is to mend.
    /// </summary>
    private static string Phase(ConditionSet conditions, string? before, bool majority)
    {
        bool changing = before is null or "Configuring" || conditions.Is(VersionsMatch, "False") || conditions.Now.Any(static condition => condition.Reason == TooMany);
        return conditions.Holds(Ready) ? "Running" : changing ? "Configuring" : majority && conditions.Holds(FloatingAddressHeld) ? "Running" : "Error";
    }

    private static MemberStatus StatusOf(SeenMember member) => new()
    {
        Name = member.Report.Name,
        Zone = OrNull(member.Report.Zone),
        Host = OrNull(member.Report.Host),
        Phase = member.IsSilent ? MemberStatus.Silent : member.Report.Ready ? MemberStatus.Running : MemberStatus.NotReady,
        ManagementAddress = OrNull(member.Report.Address),
        Version = OrNull(member.Report.Version),
        Etcd = member.IsSilent ? "unknown" : !member.Report.EtcdServes ? "does not serve" : member.Report.EtcdLeads ? "leads" : "follows",
        CertificatesEnd = member.Report.CertificatesEnd.UtcDateTime,
        Ready = member.IsReady,
        Message = member.IsReady ? member.Report.Unsteady.Count == 0 ? null : $"does not run, or was started again: {string.Join(", ", member.Report.Unsteady)}" : Why(member),
    };

    // No figure that grows: the status would be another one at each look.
    private static string Why(SeenMember member) => member.IsSilent
        ? $"has said nothing for more than {SilentAfter.TotalSeconds:0} s: its host, its API server or its Supervisor does not run. Look at `supervisor member status` on {member.Report.Host}"
        : member.Report.Why.Length > 0 ? member.Report.Why : "does not serve the API";

    private static string Names(IEnumerable<SeenMember> members) => string.Join(", ", members.Select(static member => member.Report.Name));

    private static string? Lowest(IEnumerable<SeenMember> members) => members.Select(static member => member.Report.Version).Where(static version => version.Length > 0)
        .MinBy(static version => Version.TryParse(version.Split('-', '+')[0], out Version? number) ? number : new Version(0, 0));

    private static IPAddress? Step(SupervisorObject item, int step) =>
        IPAddress.TryParse(item.Spec.ManagementNetwork.StartingAddress, out IPAddress? first) ? AddressRanges.Next(first, step) : null;

    private static string? OrNull(string text) => text.Length == 0 ? null : text;
}
