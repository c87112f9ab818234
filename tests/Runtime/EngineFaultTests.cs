using Vks.Runtime.Machines;
using Vks.Tests.Kit;

namespace Vks.Tests.Runtime;

/// <summary>Starts that cannot succeed: each has its own fault, says what came back, and leaves nothing.</summary>
public sealed class EngineFaultTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_spec_with_faults_is_refused_whole_and_touches_nothing()
    {
        await using EngineLab lab = new();

        MachineException fault = await FailAsync(lab, EngineLab.NewSpec() with { VcpuCount = 0, MemoryMiB = 1 });

        Assert.Equal(MachineFault.InvalidSpec, fault.Fault);
        Assert.Contains("VcpuCount", fault.Message, StringComparison.Ordinal);
        Assert.Contains("MemoryMiB", fault.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(lab.Options.RootDirectory));
    }

    [Fact]
    public async Task Missing_guest_files_are_named()
    {
        await using EngineLab lab = new();
        lab.Options = lab.Options with { GuestDirectory = Path.Combine(lab.Folder, "nothing") };

        MachineException fault = await FailAsync(lab, EngineLab.NewSpec());

        Assert.Equal(MachineFault.GuestFilesMissing, fault.Fault);
        Assert.Contains("nothing/vmlinux", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_qemu_is_named()
    {
        await using EngineLab lab = new();
        lab.Options = lab.Options with { QemuPath = "/nowhere/qemu" };

        MachineException fault = await FailAsync(lab, EngineLab.NewSpec() with { ScratchMiB = 64 });

        Assert.Equal(MachineFault.QemuFailed, fault.Fault);
        Assert.Contains("/nowhere/qemu", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Qemu_that_dies_at_once_is_told_with_exit_code_and_last_words()
    {
        await using EngineLab lab = new();
        lab.Options = lab.Options with { QemuPath = lab.WriteProgram("echo cannot set up guest memory >&2; exit 7") };

        MachineException fault = await FailAsync(lab, EngineLab.NewSpec());

        Assert.Equal(MachineFault.QemuFailed, fault.Fault);
        Assert.Contains("code 7", fault.Message, StringComparison.Ordinal);
        Assert.Contains("cannot set up guest memory", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_qemu_that_never_answers_is_begun_twice_and_given_up()
    {
        await using EngineLab lab = new();
        string begun = Path.Combine(lab.Folder, "begun");
        await File.WriteAllTextAsync(begun, "", Token);
        File.SetUnixFileMode(begun, (UnixFileMode)0b110_110_110);
        lab.Options = lab.Options with { QemuPath = lab.WriteProgram($"echo x >> {begun}; exec sleep 1000"), BootTimeout = TimeSpan.FromSeconds(1) };

        MachineException fault = await FailAsync(lab, EngineLab.NewSpec());

        Assert.Equal(MachineFault.BootTimedOut, fault.Fault);
        Assert.Equal(2, (await File.ReadAllLinesAsync(begun, Token)).Length);
    }

    [Fact]
    public async Task A_guest_without_an_agent_times_out_and_its_console_is_told()
    {
        await using EngineLab lab = new();
        string guest = Path.Combine(lab.Folder, "guest");
        Directory.CreateDirectory(guest);
        File.CreateSymbolicLink(Path.Combine(guest, "vmlinux"), Path.GetFullPath(Path.Combine(SphereletProcess.GuestDirectory, "vmlinux")));
        await TinyInitramfs.WriteAsync(Path.Combine(guest, "initramfs.cpio"), Token);
        lab.Options = lab.Options with { GuestDirectory = guest, BootTimeout = TimeSpan.FromSeconds(15) };

        MachineException fault = await FailAsync(lab, EngineLab.NewSpec());

        Assert.Equal(MachineFault.BootTimedOut, fault.Fault);
        Assert.Contains("guest-ready", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_start_that_is_cancelled_is_undone()
    {
        await using EngineLab lab = new();
        lab.Options = lab.Options with { QemuPath = lab.WriteProgram("exec sleep 1000") };
        CrxEngine engine = lab.NewEngine();
        MachineSpec spec = EngineLab.NewSpec() with { ScratchMiB = 64 };
        using CancellationTokenSource cancel = new(TimeSpan.FromSeconds(1));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => engine.CreateAsync(spec, cancel.Token).WaitAsync(Deadline, Token));

        Assert.Null(engine.Find(spec.Id));
        Assert.Empty(lab.Leftovers(spec.Id));
    }

    [Fact]
    public async Task A_network_that_is_not_there_fails_the_start()
    {
        await using EngineLab lab = new();

        MachineException fault = await FailAsync(
            lab, EngineLab.NewSpec() with { Network = new NetworkAttachment("/run/netns/vks-none", "tap0", "02:00:00:00:00:01", 1500) });

        Assert.Equal(MachineFault.QemuFailed, fault.Fault);
        Assert.Contains("vks-none", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Folders_that_cannot_be_made_are_named()
    {
        await using EngineLab lab = new();
        CrxEngineOptions good = lab.Options;
        await File.WriteAllTextAsync(Path.Combine(lab.Folder, "file"), "", Token);
        lab.Options = lab.Options with { RootDirectory = Path.Combine(lab.Folder, "file") };

        MachineException fault = await FailAsync(lab, EngineLab.NewSpec());

        Assert.Contains(lab.Options.RootDirectory, fault.Message, StringComparison.Ordinal);
        lab.Options = good;
    }

    private static async Task<MachineException> FailAsync(EngineLab lab, MachineSpec spec)
    {
        CrxEngine engine = lab.NewEngine();
        var fault = await Assert.ThrowsAsync<MachineException>(() => engine.CreateAsync(spec, Token).WaitAsync(Deadline, Token));
        Assert.Equal(spec.Id, fault.MachineId);
        Assert.Empty(engine.Machines);
        Assert.Empty(lab.Leftovers(spec.Id));
        return fault;
    }
}
