using System.Globalization;
using Vks.Supervisor.ControlPlane;
using Vks.Tests.Kit;

namespace Vks.Tests.Supervisor.ControlPlane;

/// <summary>A control plane from one file, on bare test hosts. Tests of rolling replacements begin with one member as here, so these run when asked for.</summary>
[Collection(ControlPlaneCollection.Name)]
public sealed class ControlPlaneInitTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vks-test-init-").FullName;

    [Theory]
    [InlineData(1)]
    [InlineData(3, Explicit = true)]
    public async Task Init_brings_a_control_plane_up_refuses_addresses_that_others_have_and_can_be_run_again(int members)
    {
        await using TestHosts hosts = await TestHosts.CreateAsync(members);
        await WriteAsync(hosts, members);
        await TestHosts.InAsync(hosts.Fabric, "ip", "address", "add", "10.78.0.24/32", "dev", "bridge");

        (int refused, string reason) = await InitAsync(hosts);
        Assert.Equal(1, refused);
        Assert.Contains("10.78.0.24, which is to be the floating address, is in use already", reason, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(_folder, "state")));
        await TestHosts.InAsync(hosts.Fabric, "ip", "address", "delete", "10.78.0.24/32", "dev", "bridge");

        try
        {
            (int done, string told) = await InitAsync(hosts);
            Assert.True(done == 0 && told.Contains("10.78.0.24: with demo-", StringComparison.Ordinal), told);
            int[] before = [.. Processes(members)];

            (int again, string toldAgain) = await InitAsync(hosts);

            Assert.True(again == 0, toldAgain);
            Assert.Equal(before, Processes(members));
            string kubectl = Path.Combine(await KubernetesPrograms.FolderAsync(), "kubectl");
            string[] shown = (await TestHosts.InAsync(hosts.Fabric, kubectl, "--kubeconfig", Path.Combine(_folder, "state", "kubeconfig"), "get", "supervisor", "demo", "--no-headers"))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(["demo", "Running", $"{members}/{members}", "tiny", "10.78.0.24"], shown[..5]);
            Assert.Equal("True", shown[7]);
        }
        finally
        {
            foreach (int number in Enumerable.Range(1, members).Where(number => File.Exists(SettingsOf(number))))
            {
                await SupervisorProcess.RunAsync(hosts.Host(number), "member", "stop", "--config", SettingsOf(number));
            }
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string SettingsOf(int number) => Path.Combine(_folder, "hosts", string.Create(CultureInfo.InvariantCulture, $"demo-{number}"), "member.yaml");

    private IEnumerable<int> Processes(int members) =>
        Enumerable.Range(1, members).Select(number => MemberState.Read(Path.Combine(Path.GetDirectoryName(SettingsOf(number))!, "run", "state.json"))!.ProcessId);

    private Task<(int Exit, string Output)> InitAsync(TestHosts hosts) =>
        SupervisorProcess.RunAsync(hosts.Fabric, "init", "-f", Path.Combine(_folder, "supervisor.yaml"), "--state-directory", Path.Combine(_folder, "state"));

    private async Task WriteAsync(TestHosts hosts, int members) => await File.WriteAllTextAsync(Path.Combine(_folder, "supervisor.yaml"), $$"""
        name: demo
        replicas: {{members}}
        size: tiny
        firstAddress: 10.78.0.21
        prefix: 24
        link: {{TestHosts.Link}}
        directory: {{_folder}}/hosts
        programs: {{await KubernetesPrograms.FolderAsync()}}
        supervisor: {{SupervisorProcess.Binary}}
        placement: 127.0.0.1:10270
        zones:
        {{string.Join('\n', Enumerable.Range(1, members).Select(number => $"- {{ name: zone-{number}, hosts: [{{ name: host-{number}, reach: [ip, netns, exec, {hosts.Host(number)}] }}] }}"))}}
        """);
}
