using Vks.Supervisor.Configuration;
using Vks.Supervisor.ControlPlane;
using Vks.Supervisor.Hosts;
using Vks.Supervisor.Operations;

namespace Vks.Supervisor.Rollouts;

/// <summary>Judges whether a rolling replacement may begin. Pure.</summary>
internal static class RolloutChecks
{
    private const long LeastFreeBytes = 512L << 20;

    /// <summary>All findings; one that is severe forbids it.</summary>
    /// <param name="facts">What is known.</param>
    public static IReadOnlyList<Finding> Judge(RolloutFacts facts) =>
        [.. Members(facts).Concat(Majority(facts)).Concat(Way(facts)).Concat(Disks(facts)).Concat(Versions(facts)).Concat(Hosts(facts)).OrderByDescending(static finding => finding.Severe)];

    private static IEnumerable<MemberView> Serving(RolloutFacts facts) =>
        facts.View.Members.Where(static member => member.Phase == MemberPhase.Serving && (member.Runs || member.HostIsWanted));

    private static IEnumerable<Finding> Members(RolloutFacts facts)
    {
        foreach (MemberView member in Serving(facts))
        {
            MemberState? state = facts.States.GetValueOrDefault(member.Name);
            string fix = state is null ? "supervisor init -f starts members that do not run" : $"look at the logs beside its settings on {member.Host}; mend it first";
            if (state is not { Ready: true })
            {
                yield return new Finding("members", member.Name, true, state is null ? "it does not run" : $"it does not serve the API: {state.Why}", fix);
            }
            else if (!state.Etcd.Serves || state.Etcd.Problem.Length > 0)
            {
                yield return new Finding("members", member.Name, true, $"its etcd does not serve as it should: {state.Etcd.Problem}", fix);
            }
        }

        if (!facts.View.Members.Any(static member => member.HasFloatingAddress))
        {
            yield return new Finding("members", "", true, $"nobody has the floating address {facts.Settings.FloatingAddress}", "supervisor rollout status shows who could have it");
        }
    }

    private static IEnumerable<Finding> Majority(RolloutFacts facts)
    {
        MemberView[] serving = [.. Serving(facts)];
        foreach (MemberView member in serving.Length > 1 ? serving : [])
        {
            int left = serving.Count(other => other != member && other.EtcdServes);
            if (left < RolloutPlan.Majority(serving.Length - 1))
            {
                yield return new Finding("quorum", member.Name, true, $"without it only {left} of {serving.Length - 1} members' etcd would serve, which is no majority", "mend the others first: supervisor rollout status");
                yield break;
            }
        }
    }

    private static IEnumerable<Finding> Way(RolloutFacts facts)
    {
        if (facts.First is RolloutStep.Blocked blocked)
        {
            string[] parts = blocked.Why.Split(" Do: ", 2);
            yield return new Finding("way", "", true, parts[0].TrimEnd('.'), parts.Length > 1 ? parts[1] : "supervisor rollout status");
        }
    }

    private static IEnumerable<Finding> Disks(RolloutFacts facts)
    {
        long data = facts.States.Values.Select(static state => state.Etcd.DatabaseBytes).DefaultIfEmpty(0).Max();

        // A new member gets the whole as a snapshot, and has it twice while it takes it over.
        long least = LeastFreeBytes + (2 * data);
        foreach ((string host, AskedHost asked) in facts.Hosts.Where(host => host.Value.Facts.FreeBytes < least))
        {
            yield return new Finding("disk", host, true, $"{asked.Facts.FreeBytes >> 20} MiB are free in {facts.Settings.Directory}; a new member needs {least >> 20} MiB", "free some, or name another directory");
        }
    }

    private static IEnumerable<Finding> Versions(RolloutFacts facts)
    {
        string program = Path.Combine(facts.Settings.Programs, MemberPrograms.ApiServer);
        (string Host, string Version)[] said = [.. facts.Hosts.Select(host => (host.Key, host.Value.Facts.Versions.GetValueOrDefault(program, "")))];
        foreach ((string host, string version) in said.Where(static one => KubernetesVersion.From(one.Version) is null))
        {
            bool isImage = facts.Settings.Hosts.Any(known => known.Name == host && known.HasMachines);
            yield return new Finding("version", host, true,
                isImage ? "the control-plane image there does not say the version of its kube-apiserver" : $"{program} does not say its version ('{version}')",
                isImage ? "./vks build controlplane, and have the Spherelet use that image (--machines-image)" : $"put Kubernetes' server programs there, and try {program} --version");
        }

        if (said.Select(static one => one.Version).Distinct().Count() > 1)
        {
            yield return new Finding("version", "", true, $"{program} is not the same on all hosts: {string.Join(", ", said.Select(static one => $"{one.Host} {one.Version}"))}", "put the same there on all");
        }
        else if (said.Length > 0 && KubernetesVersion.From(said[0].Version) is { } wanted)
        {
            foreach (Finding finding in VersionSkew.Judge(wanted, Known(facts.States.ToDictionary(static state => state.Key, static state => state.Value.KubernetesVersion)), Known(facts.Kubelets ?? new Dictionary<string, string>())))
            {
                yield return finding;
            }
        }

        if (facts.Kubelets is null)
        {
            yield return new Finding("version", "", true, $"the API at {facts.Settings.FloatingAddress} does not tell the nodes' versions", "run this where the floating address is reached: kubectl --kubeconfig … get nodes");
        }
    }

    private static IEnumerable<Finding> Hosts(RolloutFacts facts)
    {
        ControlPlaneSettings settings = facts.Settings;
        PreflightPlan plan = new(AddressRanges.NetworkOf(settings.FirstAddress, settings.Prefix), settings.Link, facts.Free, []);

        // Hosts of one name are a trouble of nodes. What is no more than to be minded was told at init, or concerns hosts that have run members since.
        return PreflightRules.Judge(plan, facts.Hosts).Where(finding => finding.Check != "hostname" && (finding.Severe || facts.View.Members.All(member => member.Host != finding.Host)));
    }

    private static Dictionary<string, KubernetesVersion> Known(IReadOnlyDictionary<string, string> versions) =>
        versions.Select(static one => (one.Key, Version: KubernetesVersion.From(one.Value))).Where(static one => one.Version is not null).ToDictionary(static one => one.Key, static one => one.Version!.Value);
}
