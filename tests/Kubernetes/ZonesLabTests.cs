using System.Diagnostics;
using CliWrap.Buffered;
using Vks.Tests.Kit;

namespace Vks.Tests.Kubernetes;

/// <summary>
/// The lab of three zones from its start to its end, as a person uses it. Explicit: three control planes and the machines of nine pods take two
/// cores for three minutes. What of it is new beside the other tests of members, namespaces and nodes is that all of it is one.
/// </summary>
[Collection(KubernetesCollection.Name)]
public sealed class ZonesLabTests : IAsyncLifetime
{
    private static readonly TimeSpan s_usual = TimeSpan.FromSeconds(120);

    private readonly ZonesLab _lab = new();

    public ValueTask InitializeAsync() => _lab.InitializeAsync();

    public ValueTask DisposeAsync() => _lab.DisposeAsync();

    [Fact(Explicit = true)]
    public async Task A_Deployment_spreads_over_the_zones_of_its_namespace_up_to_its_quota_while_a_member_is_lost()
    {
        await _lab.UpAsync();
        Assert.Equal("Running 3/3 True", await _lab.KubectlAsync("get", "supervisors", "-o", "jsonpath={.items[0].status.phase} {.items[0].status.readyMembers} {.items[0].status.conditions[?(@.type==\"Ready\")].status}"));
        Assert.Equal("zone-1 zone-2 zone-3", await _lab.KubectlAsync("get", "supervisors", "-o", "jsonpath={.items[0].status.members[*].zone}"));
        await ApplyAsync("""
            apiVersion: supervisor.vks.dev/v1alpha1
            kind: SupervisorNamespace
            metadata: { name: team-a }
            spec:
              zones: [zone-1, zone-2]
              limits: { cpu: 8, memory: 4Gi, pods: 6 }
              permissions: [{ kind: User, name: anna, role: edit }, { kind: User, name: ben, role: view }]
            """);
        await _lab.KubectlAsync("wait", "--for=condition=Ready", "supervisornamespace/team-a", "--timeout=60s");
        Assert.Equal(("yes", "no", "yes"), (await MayAsync("anna", "create", "deployments"), await MayAsync("ben", "create", "deployments"), await MayAsync("ben", "get", "pods")));

        BufferedCommandResult refused = await _lab.TryKubectlAsync(null, "-n", "team-a", "create", "deployment", "web", "--image", _lab.Image, "--replicas", "6", "--as", "ben");
        Assert.Contains("User \"ben\" cannot create resource \"deployments\"", refused.StandardError, StringComparison.Ordinal);
        await _lab.KubectlAsync("-n", "team-a", "create", "deployment", "web", "--image", _lab.Image, "--replicas", "6", "--as", "anna");
        await _lab.KubectlAsync("-n", "team-a", "rollout", "status", "deployment/web", "--timeout=110s");
        string nodes = await _lab.KubectlAsync("-n", "team-a", "get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}");
        Assert.Equal(["node-1 3", "node-2 3"], nodes.Split(' ').GroupBy(static node => node).OrderBy(static group => group.Key).Select(static group => $"{group.Key} {group.Count()}"));
        BufferedCommandResult seventh = await _lab.TryKubectlAsync(null, "-n", "team-a", "run", "seventh", "--image", _lab.Image, "--as", "anna");
        Assert.Contains("exceeded quota: supervisor, requested: pods=1, used: pods=6, limited: pods=6", seventh.StandardError, StringComparison.Ordinal);

        string holder = await _lab.KubectlAsync("get", "supervisors", "-o", "jsonpath={.items[0].status.floatingAddress.holder}");
        string host = "member-" + holder[^1];
        Assert.Equal(0, (await _lab.LabAsync(s_usual, "stop", host, "member")).ExitCode);
        await WaitAsync("{.items[0].status.phase} {.items[0].status.readyMembers}", "Running 2/3");
        Assert.NotEqual(holder, await _lab.KubectlAsync("get", "supervisors", "-o", "jsonpath={.items[0].status.floatingAddress.holder}"));
        Assert.Contains(host, (await _lab.LabAsync(s_usual, "status")).StandardOutput, StringComparison.Ordinal);
        Assert.Equal(0, (await _lab.LabAsync(s_usual, "start", host, "member")).ExitCode);
        await WaitAsync("{.items[0].status.phase} {.items[0].status.readyMembers}", "Running 3/3");
    }

    private async Task ApplyAsync(string manifest)
    {
        BufferedCommandResult applied = await _lab.TryKubectlAsync(manifest, "apply", "-f", "-");
        Assert.True(applied.ExitCode == 0, applied.StandardError + _lab.Logs());
    }

    private async Task<string> MayAsync(string user, string verb, string what) =>
        (await _lab.TryKubectlAsync(null, "-n", "team-a", "auth", "can-i", verb, what, "--as", user)).StandardOutput.Trim();

    private async Task WaitAsync(string path, string value)
    {
        long begin = Stopwatch.GetTimestamp();
        string last = "";
        while (last != value)
        {
            Assert.True(Stopwatch.GetElapsedTime(begin) < s_usual, $"supervisors {path} is '{last}' and not '{value}'\n{_lab.Logs()}");
            last = (await _lab.TryKubectlAsync(null, "get", "supervisors", "-o", $"jsonpath={path}")).StandardOutput;
            await Task.Delay(TimeSpan.FromMilliseconds(500), TestContext.Current.CancellationToken);
        }
    }
}
