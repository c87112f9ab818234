using System.Globalization;
using k8s.Models;
using Vks.Supervisor.ControlPlane;
using Vks.Supervisor.Supervisors;
using Vks.Tests.Kit;

namespace Vks.Tests.Supervisor.Supervisors;

/// <summary>What a member says on its host comes to be seen in the API: by a Supervisor beside it, a Lease, and the leader.</summary>
[Collection(ClusterCollection.Name)]
public sealed class SupervisorStatusTests(ClusterLab lab) : IAsyncDisposable
{
    private const string Name = "told";
    private readonly CancellationTokenSource _end = new();
    private LabProcess? _beside;
    private Task _member = Task.CompletedTask;
    private volatile MemberState _state = State(ready: true, "");

    [Fact]
    public async Task A_member_is_in_the_status_as_it_says_it_is_until_it_says_nothing_or_is_taken_out()
    {
        await lab.UpAsync();
        await lab.ApplyAsync($"{{ apiVersion: supervisor.vks.dev/v1alpha1, kind: Supervisor, metadata: {{ name: {Name} }}, spec: {{ managementNetwork: {{ startingAddress: 10.0.0.11, prefixLength: 24 }} }} }}");
        string file = Path.Combine(lab.Folder, "state.json");
        _member = WriteAsync(file);
        _beside = lab.NewSupervisor("beside", lab.SupervisorConfig, $"127.0.0.1:{ClusterLab.FreePort()}", "--member-state", file);

        await lab.WaitAsync($"supervisor/{Name}", ".status.phase", "Running");
        string row = await lab.KubectlAsync("get", "supervisor", Name, "--no-headers");
        Assert.Equal([Name, "Running", "1/1", "small", "10.0.0.14", "m1", "1.30.1", "True"], row.Split(' ', StringSplitOptions.RemoveEmptyEntries)[..8]);
        Assert.Matches("m1 +zone-1 +host-1 +Running +10.0.0.11 +leads +1.30.1", await lab.RunVerbAsync("status", "--kubeconfig", lab.AdminConfig));

        _state = State(ready: false, "/readyz gave 500: [-]etcd failed");
        await lab.WaitAsync($"supervisor/{Name}", ".status.members[0].message", "/readyz gave 500: [-]etcd failed");
        await lab.WaitAsync($"supervisor/{Name}", ".status.phase", "Error");

        _state = State(ready: true, "", "m1", "m2");
        await lab.UntilAsync(
            async () => (await lab.KubectlAsync("-n", MemberReport.Space, "get", "lease", MemberReport.LeaseOf("m1"), "-o", "yaml")).Contains("m2", StringComparison.Ordinal), () => "m1 does not tell of m2");
        await lab.ApplyAsync(Lease("m2", TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(-5)));
        await lab.WaitAsync($"supervisor/{Name}", ".status.members[?(@.name==\"m2\")].phase", "Silent");
        Assert.Equal("MembersTooMany", await lab.FieldAsync($"supervisor/{Name}", ".status.conditions[?(@.type==\"MembersPresent\")].reason"));

        _state = State(ready: true, "");
        await lab.WaitAsync($"supervisor/{Name}", ".status.phase", "Running");
        Assert.Equal("m1", await lab.FieldAsync($"supervisor/{Name}", ".status.members[*].name"));
        Assert.NotEqual(0, (await lab.TryKubectlAsync(null, "-n", MemberReport.Space, "get", "lease", MemberReport.LeaseOf("m2"))).ExitCode);
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _member;
        if (_beside is not null)
        {
            await _beside.DisposeAsync();
        }

        await lab.TryKubectlAsync(null, "delete", "supervisor", Name, "--ignore-not-found");
        await lab.TryKubectlAsync(null, "-n", MemberReport.Space, "delete", "lease", "-l", $"{MemberReport.Mark}={Name}");
        _end.Dispose();
    }

    /// <summary>What `supervisor member run` does each second.</summary>
    private async Task WriteAsync(string file)
    {
        while (!_end.IsCancellationRequested)
        {
            (_state with { At = TimeProvider.System.GetUtcNow() }).Write(file);
            await Task.WhenAny(Task.Delay(TimeSpan.FromMilliseconds(200), _end.Token));
        }
    }

    private static MemberState State(bool ready, string why, params string[] members) => new()
    {
        Name = "m1", At = default, ProcessId = 1, Ready = ready, Why = why, HasFloatingAddress = true, FloatingAddressHolder = "m1", Programs = [], ProgramsFolder = "",
        Etcd = new EtcdState(true, true, "3.5.0", 0, "", members.Length > 0 ? members : ["m1"]), CertificatesEnd = DateTimeOffset.Parse("2100-01-01T00:00:00Z", CultureInfo.InvariantCulture),
        Cluster = Name, Host = "host-1", Zone = "zone-1", Address = "10.0.0.11", KubernetesVersion = "v1.30.1",
    };

    private static string Lease(string member, DateTime renewed)
    {
        string report = (MemberReport.Of(State(ready: true, ""), places: true) with { Name = member, HasFloatingAddress = false, EtcdLeads = false }).ToJson();
        return k8s.KubernetesJson.Serialize(new V1Lease
        {
            ApiVersion = "coordination.k8s.io/v1", Kind = "Lease",
            Metadata = new V1ObjectMeta
            {
                Name = MemberReport.LeaseOf(member), NamespaceProperty = MemberReport.Space,
                Labels = new Dictionary<string, string> { [MemberReport.Mark] = Name }, Annotations = new Dictionary<string, string> { [MemberReport.Annotation] = report },
            },
            Spec = new V1LeaseSpec { HolderIdentity = member, RenewTime = renewed },
        });
    }
}
