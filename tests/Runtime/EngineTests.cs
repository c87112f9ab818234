using System.Diagnostics;
using CliWrap;
using CliWrap.Buffered;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Host;
using Vks.Runtime.Machines;
using Vks.Tests.Kit;

namespace Vks.Tests.Runtime;

/// <summary>The engine over real QEMU, our kernel and our agent.</summary>
public sealed class EngineTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(90);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_machine_boots_answers_powers_off_and_leaves_nothing()
    {
        await using EngineLab lab = new();
        CrxEngine engine = lab.NewEngine();
        MachineSpec spec = EngineLab.NewSpec() with { ScratchMiB = 256 };

        Machine machine = await engine.CreateAsync(spec, Token).WaitAsync(Deadline, Token);
        MachineSnapshot running = machine.Current;
        await PingAsync(machine);
        Assert.Same(machine, engine.Find(spec.Id));
        await machine.StopAsync(TimeSpan.FromSeconds(30), Token).WaitAsync(Deadline, Token);
        MachineSnapshot stopped = machine.Current;
        await engine.RemoveAsync(spec.Id, Token).WaitAsync(Deadline, Token);
        await engine.RemoveAsync(spec.Id, Token).WaitAsync(Deadline, Token);

        Assert.Equal(MachineState.Running, running.State);
        Assert.NotEqual(0, running.QemuPid);
        Assert.NotEqual(Environment.OSVersion.Version.ToString(), running.KernelRelease);
        Assert.Equal(["files", "launch", "qemu", "kernel", "agent", "channel"], running.Stages.Select(stage => stage.Name));
        Assert.Equal((MachineState.Stopped, null), (stopped.State, stopped.Reason));
        Assert.Null(engine.Find(spec.Id));
        Assert.Empty(lab.Leftovers(spec.Id));
    }

    [Fact]
    public async Task Machines_started_side_by_side_share_neither_user_nor_socket_and_an_id_only_once()
    {
        await using EngineLab lab = new();
        CrxEngine engine = lab.NewEngine();
        MachineSpec spec = EngineLab.NewSpec();

        Task<Machine> first = engine.CreateAsync(spec, Token);
        var taken = await Assert.ThrowsAsync<MachineException>(() => engine.CreateAsync(spec, Token));
        Machine other = await engine.CreateAsync(EngineLab.NewSpec(), Token).WaitAsync(Deadline, Token);
        Machine one = await first.WaitAsync(Deadline, Token);

        Assert.Equal(MachineFault.AlreadyExists, taken.Fault);
        Assert.NotEqual(UserOf(one), UserOf(other));
        Assert.All([one, other], machine => Assert.InRange(UserOf(machine), lab.Options.FirstUserId, lab.Options.FirstUserId + 65535));
        await PingAsync(one);
        await PingAsync(other);
    }

    [Fact]
    public async Task Qemu_that_is_killed_is_noticed_within_a_second()
    {
        await using EngineLab lab = new();
        Machine machine = await lab.NewEngine().CreateAsync(EngineLab.NewSpec(), Token).WaitAsync(Deadline, Token);
        Task<MachineSnapshot> change = machine.WaitForChangeAsync(machine.Current.Generation, Token);

        long begin = Stopwatch.GetTimestamp();
        using (PidFd qemu = PidFd.Open(machine.Current.QemuPid))
        {
            qemu.Signal(9);
        }

        MachineSnapshot stopped = await change.WaitAsync(Deadline, Token);
        Assert.InRange(Stopwatch.GetElapsedTime(begin), TimeSpan.Zero, TimeSpan.FromSeconds(1));
        Assert.Equal(MachineState.Stopped, stopped.State);
        Assert.Contains("signal 9", stopped.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Disks_come_and_go_and_a_restarted_daemon_knows_them()
    {
        await using EngineLab lab = new();
        string path = Path.Combine(lab.Folder, "disk.img");
        await File.WriteAllBytesAsync(path, new byte[1 << 20], Token);
        CrxEngine before = lab.NewEngine();
        MachineSpec spec = EngineLab.NewSpec() with { Labels = new Dictionary<string, string> { ["owner"] = "me" } };
        Machine machine = await before.CreateAsync(spec, Token).WaitAsync(Deadline, Token);
        DiskAttachment shared = new("image", path, ReadOnly: true);

        await machine.AttachDiskAsync(shared, Token).WaitAsync(Deadline, Token);
        await machine.AttachDiskAsync(new DiskAttachment("second", path, ReadOnly: true), Token).WaitAsync(Deadline, Token);
        await machine.DetachDiskAsync("second", Token).WaitAsync(Deadline, Token);
        await Assert.ThrowsAsync<MachineException>(() => machine.AttachDiskAsync(new DiskAttachment("none", path + "-none", ReadOnly: true), Token));
        await before.DisposeAsync();
        CrxEngine after = lab.NewEngine();
        await after.AdoptAsync(Token).WaitAsync(Deadline, Token);

        Machine again = after.Find(spec.Id)!;
        Assert.Equal(MachineState.Running, again.Current.State);
        Assert.Equal("me", again.Spec.Labels["owner"]);
        Assert.Equal([shared], again.Disks);
        await PingAsync(again);
        await again.DetachDiskAsync("image", Token).WaitAsync(Deadline, Token);
        Assert.Empty(again.Disks);
        await again.StopAsync(TimeSpan.FromSeconds(30), Token).WaitAsync(Deadline, Token);
        Assert.Null(again.Current.Reason);
    }

    [Fact]
    public async Task A_block_device_can_be_a_disk()
    {
        await using EngineLab lab = new();
        string path = Path.Combine(lab.Folder, "disk.img");
        await File.WriteAllBytesAsync(path, new byte[1 << 20], Token);
        BufferedCommandResult loop = await Cli.Wrap("losetup").WithArguments(["--find", "--show", "--read-only", path]).ExecuteBufferedAsync(Token);
        string device = loop.StandardOutput.Trim();
        try
        {
            CrxEngine engine = lab.NewEngine();
            MachineSpec spec = EngineLab.NewSpec();
            Machine machine = await engine.CreateAsync(spec, Token).WaitAsync(Deadline, Token);

            await machine.AttachDiskAsync(new DiskAttachment("loop", device, ReadOnly: true), Token).WaitAsync(Deadline, Token);

            Assert.Equal(device, Assert.Single(machine.Disks).Path);
            await machine.DetachDiskAsync("loop", Token).WaitAsync(Deadline, Token);
            await engine.RemoveAsync(spec.Id, Token).WaitAsync(Deadline, Token);
        }
        finally
        {
            await Cli.Wrap("losetup").WithArguments(["--detach", device]).ExecuteAsync(Token);
        }
    }

    [Fact]
    public async Task Twenty_cold_starts_are_measured_by_stages()
    {
        await using EngineLab lab = new();
        CrxEngine engine = lab.NewEngine();
        List<IReadOnlyList<StageTime>> starts = [];
        for (int n = 0; n < 20; n++)
        {
            MachineSpec spec = EngineLab.NewSpec() with { ScratchMiB = 1024 };
            Machine machine = await engine.CreateAsync(spec, Token).WaitAsync(Deadline, Token);
            starts.Add(machine.Current.Stages);
            await engine.RemoveAsync(spec.Id, Token).WaitAsync(Deadline, Token);
            Assert.Empty(lab.Leftovers(spec.Id));
        }

        foreach (string name in starts[0].Select(stage => stage.Name))
        {
            double[] times = [.. starts.Select(stages => stages.Single(stage => stage.Name == name).Elapsed.TotalMilliseconds).Order()];
            TestContext.Current.TestOutputHelper?.WriteLine($"{name,-8} p50 {times[10],7:F1} ms   p99 {times[^1],7:F1} ms   min {times[0],7:F1} ms");
        }

        double[] totals = [.. starts.Select(stages => stages.Sum(stage => stage.Elapsed.TotalMilliseconds)).Order()];
        TestContext.Current.TestOutputHelper?.WriteLine($"total    p50 {totals[10],7:F1} ms   p99 {totals[^1],7:F1} ms   min {totals[0],7:F1} ms");
        Assert.True(totals[10] < 15_000, $"p50 of a cold start is {totals[10]:F0} ms");
    }

    internal static Task PingAsync(Machine machine) =>
        machine.Guest.CallAsync(GuestMethods.Ping, new Empty(), GuestJson.Default.Empty, GuestJson.Default.Empty, Token).WaitAsync(TimeSpan.FromSeconds(20), Token);

    private static uint UserOf(Machine machine) => uint.Parse(
        File.ReadLines($"/proc/{machine.Current.QemuPid}/status").Single(line => line.StartsWith("Uid:", StringComparison.Ordinal)).Split('\t')[1],
        System.Globalization.CultureInfo.InvariantCulture);
}
