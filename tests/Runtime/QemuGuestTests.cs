using System.Diagnostics;
using System.Globalization;
using Microsoft.Win32.SafeHandles;
using Vks.Runtime.Host;
using Vks.Runtime.Qemu;
using Vks.Runtime.Qmp;
using Vks.Tests.Kit;

namespace Vks.Tests.Runtime;

/// <summary>Real QEMU with our kernel: what the command line, the walls and the monitor do together.</summary>
public sealed class QemuGuestTests
{
    private const uint UserId = 2_123_456;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_guest_boots_and_its_monitor_answers()
    {
        await using TinyGuest guest = await TinyGuest.StartAsync(Token);
        await guest.WaitReadyAsync(Token);

        Assert.Equal(new QmpRunState(true, "running"), await guest.Qmp.QueryStatusAsync(Token));
        Assert.True(guest.Qmp.QemuVersion >= new Version(7, 2));
        Assert.Equal("1", await guest.RunAsync("nproc", Token));
        Assert.Equal(128L * 1024 * 1024, await guest.Qmp.QueryBalloonAsync(Token));
    }

    [Fact]
    public async Task A_guest_has_as_many_processors_as_asked_for()
    {
        await using TinyGuest guest = await TinyGuest.StartAsync(Token, settings => settings with { VcpuCount = 2 });
        await guest.WaitReadyAsync(Token);

        Assert.Equal("2", await guest.RunAsync("nproc", Token));
    }

    [Fact]
    public async Task A_guest_pauses_and_goes_on_and_both_are_told()
    {
        await using TinyGuest guest = await TinyGuest.StartAsync(Token);
        await guest.WaitReadyAsync(Token);
        await using IAsyncEnumerator<QmpEvent> events = guest.Qmp.ReadEventsAsync(Token).GetAsyncEnumerator(Token);

        await guest.Qmp.StopAsync(Token);
        QmpRunState paused = await guest.Qmp.QueryStatusAsync(Token);
        await guest.Qmp.ContinueAsync(Token);

        Assert.Equal(new QmpRunState(false, "paused"), paused);
        Assert.IsType<QmpEvent.Stopped>(await NextAsync(events));
        Assert.IsType<QmpEvent.Resumed>(await NextAsync(events));
    }

    [Fact]
    public async Task A_disk_appears_with_its_serial_and_content_and_goes_again()
    {
        await using TinyGuest guest = await TinyGuest.StartAsync(Token);
        await guest.WaitReadyAsync(Token);
        string path = Path.GetTempFileName();
        await File.WriteAllBytesAsync(path, new byte[1024 * 1024], Token);
        await File.WriteAllTextAsync(path, "content-of-the-disk", Token);
        using SafeFileHandle grow = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite);
        RandomAccess.SetLength(grow, 1024 * 1024);
        grow.Dispose();

        using (SafeFileHandle file = File.OpenHandle(path))
        {
            await guest.Qmp.AttachDiskAsync(new QmpDisk("image-1", ReadOnly: true), file, Token);
        }

        Assert.Equal(["image-1"], await guest.Qmp.ListDisksAsync(Token));
        string page = await guest.RunAsync("while [ ! -e /dev/sda ]; do usleep 20000; done; cat /sys/block/sda/device/vpd_pg80 | grep -o 'image-1'; dd if=/dev/sda bs=19 count=1 2>/dev/null; cat /sys/block/sda/ro /sys/block/sda/queue/rotational", Token);
        Assert.Equal("image-1\ncontent-of-the-disk1\n0", page.ReplaceLineEndings("\n"));

        await guest.Qmp.DetachDiskAsync("image-1", TimeSpan.FromSeconds(10), Token);
        Assert.Empty(await guest.Qmp.ListDisksAsync(Token));
        Assert.Equal("gone", await guest.RunAsync("while [ -e /dev/sda ]; do usleep 20000; done; echo gone", Token));
        await guest.Qmp.DetachDiskAsync("image-1", TimeSpan.FromSeconds(10), Token);
        Assert.DoesNotContain(path, OpenFilesOf(guest.Qemu.Pid));
        File.Delete(path);
    }

    [Fact]
    public async Task A_writable_disk_takes_writes_and_cannot_be_written_by_two_guests()
    {
        string path = Path.GetTempFileName();
        using SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite);
        RandomAccess.SetLength(file, 1024 * 1024);
        await using TinyGuest first = await TinyGuest.StartAsync(Token);
        await using TinyGuest second = await TinyGuest.StartAsync(Token);
        await first.WaitReadyAsync(Token);

        await first.Qmp.AttachDiskAsync(new QmpDisk("scratch", ReadOnly: false), file, Token);
        await first.RunAsync("until [ -b /dev/sda ] && echo -n written | dd of=/dev/sda conv=fsync 2>/dev/null; do usleep 20000; done", Token);
        using SafeFileHandle again = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        QmpException refused = await Assert.ThrowsAsync<QmpException>(() => second.Qmp.AttachDiskAsync(new QmpDisk("scratch", ReadOnly: false), again, Token));

        Assert.Equal("written", (await File.ReadAllTextAsync(path, Token))[..7]);
        Assert.Equal(QmpFault.CommandFailed, refused.Fault);
        Assert.Empty(await second.Qmp.ListDisksAsync(Token));
        Assert.DoesNotContain(path, OpenFilesOf(second.Qemu.Pid));
        File.Delete(path);
    }

    [Fact]
    public async Task A_second_monitor_connection_finds_the_disks_of_the_first_and_removes_them()
    {
        await using TinyGuest guest = await TinyGuest.StartAsync(Token);
        await guest.WaitReadyAsync(Token);
        string path = Path.GetTempFileName();
        using (SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite))
        {
            RandomAccess.SetLength(file, 1024 * 1024);
            await guest.Qmp.AttachDiskAsync(new QmpDisk("kept", ReadOnly: false), file, Token);
        }

        await guest.Qmp.DisposeAsync();
        await using QmpClient later = await TinyGuest.ConnectAsync(guest.MonitorPath, Token);

        Assert.Equal(["kept"], await later.ListDisksAsync(Token));
        await later.DetachDiskAsync("kept", TimeSpan.FromSeconds(10), Token);
        Assert.Empty(await later.ListDisksAsync(Token));
        Assert.DoesNotContain(path, OpenFilesOf(guest.Qemu.Pid));
        File.Delete(path);
    }

    [Fact]
    public async Task Quit_ends_qemu_with_code_0()
    {
        await using TinyGuest guest = await TinyGuest.StartAsync(Token);

        await guest.Qmp.QuitAsync(Token);

        Assert.Equal(new ProcessExit(0, null), await guest.Qemu.Exited.WaitAsync(TimeSpan.FromSeconds(10), Token));
        await guest.Qmp.Closed.WaitAsync(TimeSpan.FromSeconds(10), Token);
    }

    [Fact]
    public async Task A_kill_is_seen_within_a_second_by_exit_and_by_monitor()
    {
        await using TinyGuest guest = await TinyGuest.StartAsync(Token);

        guest.Qemu.Kill();

        Assert.Equal(new ProcessExit(null, 9), await guest.Qemu.Exited.WaitAsync(TimeSpan.FromSeconds(1), Token));
        QmpException lost = await Assert.ThrowsAsync<QmpException>(() => guest.Qmp.QueryStatusAsync(Token));
        Assert.Equal(QmpFault.ConnectionLost, lost.Fault);
    }

    [Fact]
    public async Task A_guest_that_reboots_ends_qemu()
    {
        await using TinyGuest guest = await TinyGuest.StartAsync(Token);
        await guest.WaitReadyAsync(Token);
        await using IAsyncEnumerator<QmpEvent> events = guest.Qmp.ReadEventsAsync(Token).GetAsyncEnumerator(Token);

        Task<string> reboot = guest.RunAsync("reboot -f", Token);

        QmpEvent.Shutdown shutdown = Assert.IsType<QmpEvent.Shutdown>(await NextAsync(events));
        Assert.True(shutdown.ByGuest);
        Assert.Equal(new ProcessExit(0, null), await guest.Qemu.Exited.WaitAsync(TimeSpan.FromSeconds(10), Token));
        await Assert.ThrowsAnyAsync<Exception>(() => reboot);
    }

    [Fact]
    public async Task The_walls_around_qemu_are_really_there()
    {
        string netns = string.Create(CultureInfo.InvariantCulture, $"vks-qemu-{Environment.ProcessId}");
        await CliWrap.Cli.Wrap("ip").WithArguments(["netns", "add", netns]).ExecuteAsync(Token);
        Cgroup cgroup = Cgroup.Create(new CgroupSettings("vks", netns) { MemoryBytes = 1L << 30 });
        try
        {
            await CliWrap.Cli.Wrap("ip").WithArguments(["-n", netns, "tuntap", "add", "tap0", "mode", "tap", "vnet_hdr"]).ExecuteAsync(Token);
            using SafeFileHandle tap = await Tap.OpenAsync($"/run/netns/{netns}", "tap0");
            await using (TinyGuest guest = await TinyGuest.StartAsync(
                Token,
                settings => settings with { Network = new QemuNetwork("02:11:22:33:44:55", 1400) },
                launch => launch with { Tap = tap, NetnsPath = $"/run/netns/{netns}", UserId = UserId, Cgroup = cgroup }))
            {
                await guest.WaitReadyAsync(Token);
                Dictionary<string, string> status = StatusOf(guest.Qemu.Pid);

                Assert.Equal($"{UserId} {UserId} {UserId} {UserId}", status["Uid"]);
                Assert.Equal($"{UserId} {UserId} {UserId} {UserId}", status["Gid"]);
                Assert.Equal("", status["Groups"]);
                Assert.Equal("0000000000000000", status["CapPrm"]);
                Assert.Equal("0000000000000000", status["CapEff"]);
                Assert.Equal("1", status["NoNewPrivs"]);
                Assert.Equal("2", status["Seccomp"]); // 2: a filter is in force
                Assert.NotEqual(NamespaceOf("self", "net"), NamespaceOf(guest.Qemu.Pid, "net"));
                Assert.NotEqual(NamespaceOf("self", "mnt"), NamespaceOf(guest.Qemu.Pid, "mnt"));
                Assert.Contains($"/vks/{netns}", await File.ReadAllTextAsync($"/proc/{guest.Qemu.Pid}/cgroup", Token), StringComparison.Ordinal);
                Assert.Equal("02:11:22:33:44:55 1400", (await guest.RunAsync("echo $(cat /sys/class/net/eth0/address /sys/class/net/eth0/mtu)", Token)));
                Assert.Equal("0", StatusOf("self")["NoNewPrivs"]);
                Assert.Equal("0 0 0 0", StatusOf("self")["Uid"]);
            }
        }
        finally
        {
            await CliWrap.Cli.Wrap("ip").WithArguments(["netns", "del", netns]).ExecuteAsync(Token);
            await cgroup.RemoveAsync(Token);
        }

        Assert.Empty(cgroup.Missing);
        Assert.NotEmpty(cgroup.Folders);
        Assert.DoesNotContain(cgroup.Folders, Directory.Exists);
    }

    [Fact]
    public async Task A_shared_folder_can_be_mounted()
    {
        string folder = Directory.CreateTempSubdirectory("vks-test-share,").FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "note"), "from the host", Token);
        await using TinyGuest guest = await TinyGuest.StartAsync(Token, settings => settings with { Share = new QemuShare(folder, "vks") });
        await guest.WaitReadyAsync(Token);

        Assert.Equal("from the host", await guest.RunAsync("mkdir /m; mount -t 9p -o trans=virtio,version=9p2000.L vks /m; cat /m/note; echo", Token));
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task A_running_qemu_can_be_adopted_by_pid_and_start_time_only()
    {
        await using TinyGuest guest = await TinyGuest.StartAsync(Token);

        using QemuProcess? adopted = QemuProcess.TryAdopt(guest.Qemu.Pid, guest.Qemu.StartTicks);
        using QemuProcess? other = QemuProcess.TryAdopt(guest.Qemu.Pid, guest.Qemu.StartTicks + 1);
        using QemuProcess? none = QemuProcess.TryAdopt(int.MaxValue, 1);

        Assert.NotNull(adopted);
        Assert.Null(other);
        Assert.Null(none);
    }

    [Fact]
    public async Task Qemu_that_refuses_its_arguments_tells_why()
    {
        string folder = Directory.CreateTempSubdirectory("vks-test-qemu-").FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "not-a-kernel"), "text", Token);
        await using TinyGuestSockets sockets = new(folder);

        using QemuProcess qemu = await QemuProcess.StartAsync(sockets.Launch(Path.Combine(folder, "not-a-kernel")));
        ProcessExit exit = await qemu.Exited.WaitAsync(TimeSpan.FromSeconds(10), Token);
        await qemu.OutputEnded.WaitAsync(TimeSpan.FromSeconds(10), Token);
        QemuException failure = qemu.Describe(exit);

        Assert.Equal(QemuFault.Exited, failure.Fault);
        Assert.Equal(1, failure.ExitCode);
        Assert.Contains("kernel", failure.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Missing_program_and_missing_kernel_are_told_apart()
    {
        string folder = Directory.CreateTempSubdirectory("vks-test-qemu-").FullName;
        await using TinyGuestSockets sockets = new(folder);

        QemuException noKernel = await Assert.ThrowsAsync<QemuException>(() => QemuProcess.StartAsync(sockets.Launch("/nonexistent/vmlinux")));
        QemuException noProgram = await Assert.ThrowsAsync<QemuException>(() => QemuProcess.StartAsync(sockets.Launch("/bin/true") with { Program = "/nonexistent/qemu" }));
        QemuException notProgram = await Assert.ThrowsAsync<QemuException>(() => QemuProcess.StartAsync(sockets.Launch("/bin/true") with { Program = "/etc/passwd" }));

        Assert.Equal(QemuFault.FilesMissing, noKernel.Fault);
        Assert.Equal(QemuFault.ProgramMissing, noProgram.Fault);
        Assert.Equal(QemuFault.ProgramMissing, notProgram.Fault);
        Assert.Contains("EACCES", notProgram.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_probe_knows_this_qemu()
    {
        QemuVersion version = await QemuProbe.AskAsync("qemu-system-x86_64", Token);

        Assert.True(version.HasMicrovm);
        Assert.True(version.Version.Major >= 7);
        Assert.StartsWith("/", version.Path, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Boots_are_reliable_beside_busy_neighbours()
    {
        const int Boots = 6;
        using CancellationTokenSource done = CancellationTokenSource.CreateLinkedTokenSource(Token);
        Thread[] busy = [.. Enumerable.Range(0, 2).Select(_ => new Thread(() => Spin(done.Token)) { IsBackground = true })];
        Array.ForEach(busy, thread => thread.Start());
        try
        {
            for (int i = 0; i < Boots; i++)
            {
                long start = Stopwatch.GetTimestamp();
                string clock = await BootAsync() ?? await BootAsync() ?? throw new TimeoutException($"Boot {i} hung twice; the engine gives a boot two tries.");
                Assert.StartsWith("tsc", clock, StringComparison.Ordinal);
                TestContext.Current.SendDiagnosticMessage($"boot {i}: {Stopwatch.GetElapsedTime(start).TotalMilliseconds:0} ms");
            }
        }
        finally
        {
            await done.CancelAsync();
            Array.ForEach(busy, thread => thread.Join());
        }

        // A boot under TCG may hang once in a while; the engine's watchdog begins it anew once, and so does this.
        static async Task<string?> BootAsync()
        {
            try
            {
                await using TinyGuest guest = await TinyGuest.StartAsync(Token);
                await guest.WaitReadyAsync(Token);
                return await guest.RunAsync("cat /sys/devices/system/clocksource/clocksource0/current_clocksource", Token);
            }
            catch (TimeoutException hung)
            {
                TestContext.Current.SendDiagnosticMessage($"a boot hung: {hung.Message}");
                return null;
            }
        }

        static void Spin(CancellationToken until)
        {
            while (!until.IsCancellationRequested)
            {
                Thread.SpinWait(1000);
            }
        }
    }

    private static async Task<QmpEvent> NextAsync(IAsyncEnumerator<QmpEvent> events)
    {
        Assert.True(await events.MoveNextAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(10), Token), "the events ended");
        return events.Current;
    }

    private static IEnumerable<string> OpenFilesOf(int pid) =>
        Directory.EnumerateFileSystemEntries($"/proc/{pid}/fd").Select(link => new FileInfo(link).LinkTarget ?? "");

    private static string NamespaceOf(object pid, string kind) => new FileInfo($"/proc/{pid}/ns/{kind}").LinkTarget!;

    private static Dictionary<string, string> StatusOf(object pid) => File.ReadLines($"/proc/{pid}/status").Select(line => line.Split(':', 2))
        .ToDictionary(pair => pair[0], pair => pair[1].Trim().Replace('\t', ' '));
}
