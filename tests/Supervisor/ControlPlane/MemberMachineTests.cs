using System.Diagnostics;
using System.Globalization;
using CliWrap;
using CliWrap.Buffered;
using Tmds.Linux;
using Vks.Machines.V1;
using Vks.Tests.Kit;

namespace Vks.Tests.Supervisor.ControlPlane;

/// <summary>A control plane whose member is a machine: from one file to an API that survives the machine. Minutes under software emulation, so it is run when it is asked for.</summary>
public sealed class MemberMachineTests(ITestOutputHelper output) : IAsyncDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(25);

    private readonly string _bridge = string.Create(CultureInfo.InvariantCulture, $"vkt{Random.Shared.Next() & 0xffffff:x6}");
    private readonly string _folder = Directory.CreateTempSubdirectory("vks-test-member-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact(Explicit = true)]
    public async Task Init_brings_a_member_up_as_a_machine_and_what_was_written_outlives_its_QEMU()
    {
        await RunAsync(RepositoryRoot.Combine("images", "build.sh"), "controlplane");
        await RunAsync("ip", "link", "add", _bridge, "type", "bridge");
        await RunAsync("ip", "address", "add", "10.79.1.254/24", "dev", _bridge);
        await RunAsync("ip", "link", "set", _bridge, "up");
        await using MachinesLab lab = await MachinesLab.StartAsync(Token, "--boot-timeout-seconds", "120");
        await WriteAsync(lab);
        string kubectl = Path.Combine(await KubernetesPrograms.FolderAsync(), "kubectl");
        string[] kubeconfig = ["--kubeconfig", Path.Combine(lab.Directory, "kubeconfig")];

        long begin = Stopwatch.GetTimestamp();
        string told = await RunAsync(SupervisorProcess.Binary, "init", "-f", Path.Combine(_folder, "supervisor.yaml"), "--state-directory", lab.Directory);
        Assert.Contains("10.79.1.14: with demo-1", told, StringComparison.Ordinal);
        await ReportAsync(lab, "init until the floating address", begin);
        await RunAsync(kubectl, [.. kubeconfig, "create", "configmap", "kept", "--from-literal=a=b"]);
        Machine machine = await lab.Client.GetMachineAsync(new GetMachineRequest { Name = "demo-1" }, cancellationToken: Token);

        await lab.RestartDaemonAsync(Token);
        await RunAsync(kubectl, [.. kubeconfig, "get", "configmap", "kept"]);
        string log = (await lab.Client.ReadFileAsync(new ReadFileRequest { Name = "demo-1", Path = "demo-1/log/member.log" }, cancellationToken: Token)).Content.ToStringUtf8();
        Assert.DoesNotContain("this member does not serve the API", log, StringComparison.Ordinal);
        begin = Stopwatch.GetTimestamp();
        _ = LibC.kill(machine.ProcessId, LibC.SIGKILL);

        await Eventually.TrueAsync(
            async () => (await TryAsync(kubectl, [.. kubeconfig, "--request-timeout=5s", "get", "configmap", "kept", "-o", "jsonpath={.data.a}"])) is { ExitCode: 0, StandardOutput: "b" }
                && (await lab.Client.GetMachineAsync(new GetMachineRequest { Name = "demo-1" }, cancellationToken: Token)).ProcessId != machine.ProcessId,
            s_limit, () => lab.Daemon.Log, Token);
        await ReportAsync(lab, "QEMU's end until its data is read through the floating address", begin);
        await lab.Client.StopMachineAsync(new StopMachineRequest { Name = "demo-1" }, cancellationToken: Token);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await TryAsync("ip", ["link", "delete", _bridge]);
        Directory.Delete(_folder, recursive: true);
    }

    private Task WriteAsync(MachinesLab lab) => File.WriteAllTextAsync(Path.Combine(_folder, "supervisor.yaml"), $$"""
        name: demo
        replicas: 1
        size: tiny
        firstAddress: 10.79.1.11
        prefix: 24
        link: {{_bridge}}
        machine: { vcpus: 1 }
        zones:
        - name: a
          hosts:
          - { name: {{lab.Host.Name}}, spherelet: "{{lab.Host.Spherelet}}" }
        """, Token);

    private async Task ReportAsync(MachinesLab lab, string what, long begin)
    {
        TimeSpan took = Stopwatch.GetElapsedTime(begin);
        Machine machine = await lab.Client.GetMachineAsync(new GetMachineRequest { Name = "demo-1" }, cancellationToken: Token);
        output.WriteLine($"{what}: {took.TotalSeconds:0} s; QEMU takes {machine.MemoryUsedMib} MiB; load {(await File.ReadAllTextAsync("/proc/loadavg", Token)).Trim()}");
    }

    private static async Task<string> RunAsync(string program, params string[] arguments)
    {
        BufferedCommandResult result = await TryAsync(program, arguments);
        Assert.True(result.ExitCode == 0, $"{program} {string.Join(' ', arguments)} ended with {result.ExitCode}:\n{result.StandardOutput}{result.StandardError}");
        return result.StandardOutput;
    }

    private static async Task<BufferedCommandResult> TryAsync(string program, string[] arguments)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(s_limit);
        return await Cli.Wrap(program).WithArguments(arguments).WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(limit.Token);
    }
}
