using Microsoft.Extensions.Logging.Abstractions;
using Vks.Runtime.Machines;
using Vks.Runtime.Qemu;

namespace Vks.Tests.Runtime;

/// <summary>What the accelerator probe concludes from a boot, and what of it the next daemon may rely on.</summary>
public sealed class EngineAcceleratorTests : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);
    private readonly string _folder = Directory.CreateTempSubdirectory("vks-test-probe-").FullName;
    private int _boots;

    public EngineAcceleratorTests()
    {
        File.WriteAllText(Path.Combine(_folder, "kvm"), "");
        File.WriteAllText(Path.Combine(_folder, "vmlinux"), "");
        File.WriteAllText(Path.Combine(_folder, "initramfs.cpio"), "");
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_guest_that_boots_means_kvm_and_the_next_daemon_need_not_try_again()
    {
        Assert.True((await AskNewDaemonAsync(fault: null)).IsKvm);
        Assert.True((await AskNewDaemonAsync(fault: null)).IsKvm);

        Assert.Equal(1, _boots);
    }

    [Fact]
    public async Task A_guest_that_hangs_means_tcg_until_the_host_the_guest_or_the_agent_is_another()
    {
        MachineException hung = Fault(MachineFault.BootTimedOut, cause: null);
        AcceleratorReport report = await AskNewDaemonAsync(hung);
        Assert.False(report.IsKvm);
        Assert.Contains("no guest boots on it", report.Reason, StringComparison.Ordinal);
        Assert.False((await AskNewDaemonAsync(hung)).IsKvm);
        Assert.Equal(1, _boots);

        File.SetLastWriteTimeUtc(Path.Combine(_folder, "initramfs.cpio"), DateTime.UnixEpoch);
        Assert.True((await AskNewDaemonAsync(fault: null)).IsKvm);
        Assert.Equal(2, _boots);
    }

    [Fact]
    public async Task A_probe_that_never_reached_the_accelerator_concludes_nothing()
    {
        MachineException[] faults =
        [
            Fault(MachineFault.QemuFailed, new QemuException(QemuFault.ProgramMissing, "no QEMU")),
            Fault(MachineFault.QemuFailed, new QemuException(QemuFault.StartFailed, "no namespace")),
            Fault(MachineFault.GuestFilesMissing, cause: null),
            Fault(MachineFault.ResourceExhausted, cause: null),
        ];
        foreach (MachineException fault in faults)
        {
            Assert.Same(fault, await Assert.ThrowsAsync<MachineException>(() => AskNewDaemonAsync(fault)));
        }

        Assert.True((await AskNewDaemonAsync(fault: null)).IsKvm);
    }

    [Fact]
    public async Task Qemu_that_cannot_use_kvm_means_tcg()
    {
        Assert.False((await AskNewDaemonAsync(Fault(MachineFault.QemuFailed, new QemuException(QemuFault.AcceleratorUnusable, "root only")))).IsKvm);
    }

    [Fact]
    public async Task All_who_ask_share_one_probe_and_a_failed_one_is_tried_again()
    {
        TaskCompletionSource boot = new();
        await using AcceleratorProbe probe = NewProbe();
        Task<AcceleratorReport>[] asked = [.. Enumerable.Range(0, 5).Select(_ => probe.GetAsync((_, _, _) => CountAsync(boot.Task), Token))];
        boot.SetException(Fault(MachineFault.ResourceExhausted, cause: null));
        foreach (Task<AcceleratorReport> one in asked)
        {
            await Assert.ThrowsAsync<MachineException>(() => one.WaitAsync(Deadline, Token));
        }

        Assert.Equal(1, _boots);
        Assert.True((await probe.GetAsync((_, _, _) => CountAsync(Task.CompletedTask), Token).WaitAsync(Deadline, Token)).IsKvm);
        Assert.Equal(2, _boots);
    }

    [Fact]
    public async Task A_daemon_that_ends_gives_the_probe_up_and_waits_until_its_guest_is_gone()
    {
        TaskCompletionSource begun = new();
        bool undone = false;
        AcceleratorProbe probe = NewProbe();
        Task<AcceleratorReport> asked = probe.GetAsync(
            async (_, _, token) =>
            {
                begun.SetResult();
                try
                {
                    await Task.Delay(Timeout.Infinite, token);
                }
                finally
                {
                    await Task.Yield();
                    undone = true;
                }
            },
            Token);
        await begun.Task.WaitAsync(Deadline, Token);

        await probe.DisposeAsync().AsTask().WaitAsync(Deadline, Token);

        Assert.True(undone);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
        Assert.False(File.Exists(Path.Combine(_folder, "accelerator.json")));
    }

    [Fact]
    public async Task A_cache_cut_short_by_a_kill_is_probed_again()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "accelerator.json"), """{"hostBootId":""", Token);

        Assert.True((await AskNewDaemonAsync(fault: null)).IsKvm);
        Assert.Equal(1, _boots);
    }

    private static MachineException Fault(MachineFault fault, Exception? cause) => new(fault, MachineId.Parse("probe"), "the boot failed", cause);

    private AcceleratorProbe NewProbe() => new(
        new CrxEngineOptions { RuntimeDirectory = _folder, GuestDirectory = _folder }, TimeProvider.System, NullLogger<AcceleratorProbe>.Instance, Path.Combine(_folder, "kvm"));

    private async Task<AcceleratorReport> AskNewDaemonAsync(MachineException? fault)
    {
        await using AcceleratorProbe probe = NewProbe();
        return await probe.GetAsync((_, _, _) => CountAsync(fault is null ? Task.CompletedTask : Task.FromException(fault)), Token).WaitAsync(Deadline, Token);
    }

    private Task CountAsync(Task outcome)
    {
        Interlocked.Increment(ref _boots);
        return outcome;
    }
}
