using System.Globalization;
using CliWrap;
using Google.Protobuf;
using Grpc.Core;
using Tmds.Linux;
using Vks.Machines.V1;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>A machine of the machines API over its whole life: its disk outlives daemon, QEMU and stop.</summary>
[Collection(NodeCollection.Name)]
public sealed class KeptMachineTests : IAsyncDisposable
{
    private const string Name = "demo-1";

    private readonly string _bridge = string.Create(CultureInfo.InvariantCulture, $"vkt{Random.Shared.Next() & 0xffffff:x6}");
    private readonly string _images = Directory.CreateTempSubdirectory("vks-test-kept-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_machine_runs_on_without_its_daemon_comes_back_when_its_QEMU_is_killed_and_never_loses_its_disk()
    {
        await IpAsync("link", "add", _bridge, "type", "bridge");
        await using MachinesLab lab = await MachinesLab.StartAsync(Token, "--machines-image", await TinyMemberImage.WriteAsync(_images, Token));
        Vks.Machines.V1.Machines.MachinesClient machines = lab.Client;
        string link = _bridge;
        MachineSettings settings = new() { MemoryMib = 512, DiskMib = 256, Link = link, Addresses = { "10.79.0.11/24" }, Gateway = "10.79.0.1", SettingsFile = "/var/lib/vks-member/demo-1/member.yaml" };
        await machines.PutFileAsync(new PutFileRequest { Name = Name, Path = "demo-1/member.yaml", Content = ByteString.CopyFromUtf8("first\n") }, cancellationToken: Token);
        await machines.SetMachineAsync(new SetMachineRequest { Name = Name, Settings = settings }, cancellationToken: Token);

        Machine started = await machines.StartMachineAsync(new StartMachineRequest { Name = Name }, cancellationToken: Token);
        Assert.Equal("first\n", await ReadAsync(machines, "demo-1/member.yaml"));
        Assert.Equal("10.79.0.11/24\n", await ReadAsync(machines, "addresses"));
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(lab.Directory, "root", "kept", Name, "files"), "*", SearchOption.AllDirectories));

        await lab.RestartDaemonAsync(Token);
        Assert.Equal(started.ProcessId, (await UntilAsync(lab, MachinePhase.Running)).ProcessId);

        await machines.PutFileAsync(new PutFileRequest { Name = Name, Path = "demo-1/member.yaml", Content = ByteString.CopyFromUtf8("second\n") }, cancellationToken: Token);
        _ = LibC.kill(started.ProcessId, LibC.SIGKILL);
        await Eventually.TrueAsync(
            async () => await machines.GetMachineAsync(new GetMachineRequest { Name = Name }, cancellationToken: Token) is { Phase: MachinePhase.Running, ProcessId: > 0 } again && again.ProcessId != started.ProcessId,
            TimeSpan.FromMinutes(2), () => lab.Daemon.Log, Token);
        Assert.Equal("second\n", await ReadAsync(machines, "demo-1/member.yaml"));

        Assert.Equal(StatusCode.FailedPrecondition, (await Assert.ThrowsAsync<RpcException>(async () => await machines.DeleteMachineAsync(new DeleteMachineRequest { Name = Name }, cancellationToken: Token))).StatusCode);
        Machine stopped = await machines.StopMachineAsync(new StopMachineRequest { Name = Name }, cancellationToken: Token);
        Assert.Equal((MachinePhase.Stopped, 0), (stopped.Phase, stopped.ProcessId));
        Assert.Empty(LeakCheck.Take(lab.Directory, lab.Daemon.Pid, new HashSet<string>(), _bridge).Links);

        await machines.StartMachineAsync(new StartMachineRequest { Name = Name }, cancellationToken: Token);
        string line = "started with /var/lib/vks-member/demo-1/member.yaml\n";
        Assert.Equal($"{line}{line}ended\n{line}", await ReadAsync(machines, "starts"));

        await machines.StopMachineAsync(new StopMachineRequest { Name = Name }, cancellationToken: Token);
        await machines.DeleteMachineAsync(new DeleteMachineRequest { Name = Name }, cancellationToken: Token);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(lab.Directory, "root", "kept")));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await IpAsync("link", "delete", _bridge);
        Directory.Delete(_images, recursive: true);
    }

    private static async Task<string> ReadAsync(Vks.Machines.V1.Machines.MachinesClient machines, string path) =>
        (await machines.ReadFileAsync(new ReadFileRequest { Name = Name, Path = path }, cancellationToken: Token)).Content.ToStringUtf8();

    private static async Task<Machine> UntilAsync(MachinesLab lab, MachinePhase phase)
    {
        Machine machine = new();
        await Eventually.TrueAsync(
            async () => (machine = await lab.Client.GetMachineAsync(new GetMachineRequest { Name = Name }, cancellationToken: Token)).Phase == phase, TimeSpan.FromMinutes(1), () => lab.Daemon.Log, Token);
        return machine;
    }

    private static Task IpAsync(params string[] arguments) => Cli.Wrap("ip").WithArguments(arguments).ExecuteAsync();
}
