using CliWrap;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Host;
using Vks.Runtime.Machines;
using Vks.Tests.Kit;

namespace Vks.Tests.Runtime;

/// <summary>What a later engine makes of what an earlier one left: facts count, records only say where to look.</summary>
public sealed class EngineAdoptionTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(90);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Disks_are_what_qemu_has_and_not_what_the_record_says()
    {
        await using EngineLab lab = new();
        DiskAttachment disk = new("image", Path.Combine(lab.Folder, "disk.img"), ReadOnly: true);
        await File.WriteAllBytesAsync(disk.Path, new byte[1 << 20], Token);
        MachineSpec spec = await LeaveMachineAsync(lab, record => record with { Disks = [disk] });

        Machine machine = await AdoptOneAsync(lab, spec.Id);
        Assert.Empty(machine.Disks);
        await machine.AttachDiskAsync(disk, Token).WaitAsync(Deadline, Token);

        Assert.Equal([disk], machine.Disks);
        await PingAsync(machine);
    }

    [Fact]
    public async Task A_folder_that_holds_the_record_of_another_machine_goes_and_the_other_machine_stays()
    {
        await using EngineLab lab = new();
        MachineSpec spec = await LeaveMachineAsync(lab, record => record);
        MachineId[] copies = [.. Enumerable.Range(0, 8).Select(_ => EngineLab.NewId())];
        foreach (MachineId copy in copies)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(RecordOf(lab, copy))!);
            File.Copy(RecordOf(lab, spec.Id), RecordOf(lab, copy));
        }

        Machine machine = await AdoptOneAsync(lab, spec.Id);

        await PingAsync(machine);
        Assert.Equal([Path.GetDirectoryName(RecordOf(lab, spec.Id))], Directory.EnumerateDirectories(Path.Combine(lab.Options.RootDirectory, "machines")));
    }

    [Fact]
    public async Task A_start_that_was_not_finished_is_ended_although_its_qemu_runs()
    {
        await using EngineLab lab = new();
        MachineSpec spec = await LeaveMachineAsync(lab, record => record with { Started = false, QemuPid = 0, QemuStartTicks = 0, HostBootId = "" });
        Assert.Single(lab.Qemus());

        CrxEngine after = lab.NewEngine();
        await after.AdoptAsync(Token).WaitAsync(Deadline, Token);

        Assert.Empty(after.Machines);
        Assert.Empty(lab.Leftovers(spec.Id));
    }

    [Fact]
    public async Task A_spare_machine_is_ended_and_one_that_was_claimed_is_taken_back_with_its_new_labels()
    {
        await using EngineLab lab = new();
        await using CrxEngine first = lab.NewEngine();
        MachineSpec[] specs = [EngineLab.NewSpec() with { Spare = true }, EngineLab.NewSpec() with { Spare = true }];
        Machine[] machines = await Task.WhenAll(specs.Select(spec => first.CreateAsync(spec, Token))).WaitAsync(Deadline, Token);
        machines[1].Claim(new Dictionary<string, string> { ["owner"] = "somebody" });
        Assert.Throws<MachineException>(() => machines[1].Claim(new Dictionary<string, string>()));
        await first.DisposeAsync();
        Assert.Equal(2, lab.Qemus().Count);

        Machine adopted = await AdoptOneAsync(lab, specs[1].Id);

        Assert.Equal("somebody", adopted.Spec.Labels["owner"]);
        Assert.False(adopted.Spec.Spare);
        await PingAsync(adopted);
        Assert.DoesNotContain(lab.Leftovers(specs[0].Id), thing => thing.Contains(specs[0].Id.Value, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Qemu_that_died_while_no_daemon_watched_is_cleaned_away()
    {
        await using EngineLab lab = new();
        MachineSpec spec = await LeaveMachineAsync(lab, record => record);
        using (PidFd qemu = PidFd.Open(lab.Qemus().Single()))
        {
            qemu.Signal(9);
            await qemu.Exited.WaitAsync(Deadline, Token);
        }

        CrxEngine after = lab.NewEngine();
        await after.AdoptAsync(Token).WaitAsync(Deadline, Token);

        Assert.Empty(after.Machines);
        Assert.Empty(lab.Leftovers(spec.Id));
    }

    [Fact]
    public async Task A_record_of_an_earlier_boot_of_the_host_is_cleaned_away()
    {
        await using EngineLab lab = new();
        MachineId id = EngineLab.NewId();
        Directory.CreateDirectory(Path.GetDirectoryName(RecordOf(lab, id))!);
        MachineStore.Write(
            RecordOf(lab, id),
            new MachineRecord
            {
                Version = MachineRecord.CurrentVersion,
                Spec = new MachineSpec { Id = id },
                Started = true,
                UserId = lab.Options.FirstUserId,
                QemuPid = Environment.ProcessId, // after a boot any process may have that id
                QemuStartTicks = ProcessStart.ReadTicks(Environment.ProcessId)!.Value,
                HostBootId = "an earlier boot",
            },
            durable: false);

        CrxEngine after = lab.NewEngine();
        await after.AdoptAsync(Token).WaitAsync(Deadline, Token);

        Assert.Empty(after.Machines);
        Assert.Empty(lab.Leftovers(id));
    }

    [Fact]
    public async Task A_record_that_cannot_be_marked_fails_the_start_and_its_qemu_goes_too()
    {
        await using EngineLab lab = new();
        MachineSpec spec = EngineLab.NewSpec();
        Task<Machine> start = lab.NewEngine().CreateAsync(spec, Token);
        using (CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(Token))
        {
            deadline.CancelAfter(Deadline);
            while (!QemuIsNoted(RecordOf(lab, spec.Id)))
            {
                Assert.False(start.IsCompleted, "the start was faster than its test");
                await Task.Delay(TimeSpan.FromMilliseconds(5), deadline.Token);
            }
        }

        Directory.Delete(Path.GetDirectoryName(RecordOf(lab, spec.Id))!, recursive: true);

        var fault = await Assert.ThrowsAsync<MachineException>(() => start.WaitAsync(Deadline, Token));
        Assert.Equal(MachineFault.DiskFailed, fault.Fault);
        Assert.Contains("machine.json", fault.Message, StringComparison.Ordinal);
        Assert.Empty(lab.Leftovers(spec.Id));
    }

    [Fact]
    public async Task A_disk_is_a_file_or_a_block_device_and_nothing_that_would_block_the_lane()
    {
        await using EngineLab lab = new();
        string pipe = Path.Combine(lab.Folder, "pipe");
        await Cli.Wrap("mkfifo").WithArguments([pipe]).ExecuteAsync(Token);
        Machine machine = await lab.NewEngine().CreateAsync(EngineLab.NewSpec(), Token).WaitAsync(Deadline, Token);

        foreach (string path in new[] { pipe, lab.Folder, "/dev/null", "/nowhere/disk.img" })
        {
            var fault = await Assert.ThrowsAsync<MachineException>(
                () => machine.AttachDiskAsync(new DiskAttachment("x", path, ReadOnly: true), Token).WaitAsync(Deadline, Token));
            Assert.Equal(MachineFault.DiskFailed, fault.Fault);
            Assert.Contains(path, fault.Message, StringComparison.Ordinal);
        }

        Assert.Empty(machine.Disks);
        await PingAsync(machine);
    }

    [Fact]
    public async Task An_engine_that_was_let_go_of_starts_nothing()
    {
        await using EngineLab lab = new();
        CrxEngine engine = lab.NewEngine();
        await engine.DisposeAsync();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => engine.CreateAsync(EngineLab.NewSpec(), Token));

        Assert.Empty(engine.Machines);
        Assert.Empty(lab.Leftovers());
    }

    private static string RecordOf(EngineLab lab, MachineId id) => Path.Combine(lab.Options.RootDirectory, "machines", id.Value, "machine.json");

    private static bool QemuIsNoted(string path)
    {
        try
        {
            return MachineStore.Read(path).QemuPid != 0;
        }
        catch (InvalidDataException)
        {
            return false; // not there yet
        }
    }

    /// <summary>Starts a machine, lets go of it as a daemon that ends does, and changes what it noted.</summary>
    private static async Task<MachineSpec> LeaveMachineAsync(EngineLab lab, Func<MachineRecord, MachineRecord> change)
    {
        MachineSpec spec = EngineLab.NewSpec();
        CrxEngine before = lab.NewEngine();
        await before.CreateAsync(spec, Token).WaitAsync(Deadline, Token);
        await before.DisposeAsync();
        MachineStore.Write(RecordOf(lab, spec.Id), change(MachineStore.Read(RecordOf(lab, spec.Id))), durable: false);
        return spec;
    }

    /// <summary>Lets a new engine adopt, which must find that machine alone, and running.</summary>
    private static async Task<Machine> AdoptOneAsync(EngineLab lab, MachineId id)
    {
        CrxEngine after = lab.NewEngine();
        await after.AdoptAsync(Token).WaitAsync(Deadline, Token);
        Machine machine = Assert.Single(after.Machines);
        Assert.Equal((id, MachineState.Running, lab.Qemus().Single()), (machine.Id, machine.Current.State, machine.Current.QemuPid));
        return machine;
    }

    private static Task<Empty> PingAsync(Machine machine) =>
        machine.Guest.CallAsync(GuestMethods.Ping, new Empty(), GuestJson.Default.Empty, GuestJson.Default.Empty, Token).WaitAsync(Deadline, Token);
}
