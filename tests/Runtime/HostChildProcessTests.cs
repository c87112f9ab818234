using System.Globalization;
using Microsoft.Win32.SafeHandles;
using Vks.Runtime.Host;

namespace Vks.Tests.Runtime;

public sealed class HostChildProcessTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Exit_code_and_output_are_told()
    {
        using ChildProcess child = await RunShellAsync("echo out; echo err >&2; exit 7");

        Assert.Equal(new ProcessExit(7, null), await child.Process.Exited.WaitAsync(Deadline, Token));
        await child.OutputEnded.WaitAsync(Deadline, Token);
        Assert.Equal("out\nerr\n", child.OutputTail);
    }

    [Fact]
    public async Task A_signal_is_told_and_the_ended_process_takes_no_more()
    {
        using ChildProcess child = await RunShellAsync("exec sleep 60");

        Assert.True(child.Process.Signal(15));
        Assert.Equal(new ProcessExit(null, 15), await child.Process.Exited.WaitAsync(Deadline, Token));
        Assert.False(child.Process.Signal(15));
        Assert.False(Directory.Exists($"/proc/{child.Process.Pid}"));
    }

    [Fact]
    public async Task Only_the_end_of_much_output_is_kept()
    {
        using ChildProcess child = await RunShellAsync("seq 1 20000");

        await child.OutputEnded.WaitAsync(Deadline, Token);

        Assert.Equal(16 * 1024, child.OutputTail.Length);
        Assert.EndsWith("\n19999\n20000\n", child.OutputTail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Descriptors_stand_at_their_numbers_and_no_other_is_inherited()
    {
        string path = Path.GetTempFileName();
        await File.WriteAllTextAsync(path, "inherited", Token);
        using SafeFileHandle first = File.OpenHandle(path);
        using SafeFileHandle second = File.OpenHandle("/dev/zero");

        using ChildProcess child = await ChildProcess.StartAsync(SettingsFor("cat /proc/self/fd/10; echo; cd /proc/self/fd; for f in *; do readlink $f; done") with
        {
            Descriptors = [(10, first), (3, second)],
        });
        await child.OutputEnded.WaitAsync(Deadline, Token);

        string[] lines = child.OutputTail.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("inherited", lines[0]);
        Assert.Equal(["/dev/null", "/dev/zero", path], lines[1..].Where(line => line.StartsWith('/') && !line.StartsWith("/proc", StringComparison.Ordinal)).Order());
        File.Delete(path);
    }

    [Fact]
    public async Task The_child_leads_a_session_of_its_own_with_no_signal_blocked_or_ignored_and_the_environment_given()
    {
        using ChildProcess child = await ChildProcess.StartAsync(SettingsFor("echo $NAME $HOME.; grep -E 'SigBlk|SigIgn' /proc/self/status; cut -d' ' -f6 /proc/$$/stat; echo $$") with
        {
            Environment = new Dictionary<string, string> { ["NAME"] = "value", ["PATH"] = "/usr/bin:/bin" },
        });
        await child.OutputEnded.WaitAsync(Deadline, Token);

        string pid = child.Process.Pid.ToString(CultureInfo.InvariantCulture);
        Assert.Equal($"value .\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n{pid}\n{pid}\n", child.OutputTail);
    }

    [Fact]
    public async Task The_identity_of_the_child_is_that_of_no_thread_of_ours_afterwards()
    {
        using ChildProcess child = await ChildProcess.StartAsync(SettingsFor("id -u; id -G; grep NoNewPrivs /proc/self/status") with
        {
            User = new ChildUser(2_000_001, 2_000_002, [2_000_003], []),
            OwnMountNamespace = true,
        });
        await child.OutputEnded.WaitAsync(Deadline, Token);

        Assert.Equal("2000001\n2000002 2000003\nNoNewPrivs:\t1\n", child.OutputTail);
        foreach (string task in Directory.EnumerateDirectories("/proc/self/task").Where(Directory.Exists))
        {
            string[] status = await File.ReadAllLinesAsync($"{task}/status", Token);
            Assert.Contains("Uid:\t0\t0\t0\t0", status);
            Assert.Contains("NoNewPrivs:\t0", status);
        }
    }

    [Fact]
    public async Task A_missing_program_a_missing_namespace_and_a_zero_character_start_nothing()
    {
        HostException program = await Assert.ThrowsAsync<HostException>(() => ChildProcess.StartAsync(SettingsFor("true") with { Program = "/nonexistent/program" }));
        HostException netns = await Assert.ThrowsAsync<HostException>(() => ChildProcess.StartAsync(SettingsFor("true") with { NetnsPath = "/run/netns/nonexistent" }));
        HostException wrongKind = await Assert.ThrowsAsync<HostException>(() => ChildProcess.StartAsync(SettingsFor("true") with { NetnsPath = "/dev/null" }));
        await Assert.ThrowsAsync<ArgumentException>(() => ChildProcess.StartAsync(SettingsFor("true\0false")));

        Assert.Equal(("posix_spawn", "ENOENT"), (program.Call, program.ErrnoName));
        Assert.Equal(("open", "ENOENT"), (netns.Call, netns.ErrnoName));
        Assert.Equal(("setns", "EINVAL"), (wrongKind.Call, wrongKind.ErrnoName));
    }

    [Fact]
    public async Task Many_children_end_together_and_each_end_is_told()
    {
        ChildProcess[] children = await Task.WhenAll(Enumerable.Range(0, 30).Select(number => RunShellAsync($"exit {number}")));

        ProcessExit[] exits = await Task.WhenAll(children.Select(child => child.Process.Exited)).WaitAsync(Deadline, Token);

        Assert.Equal(Enumerable.Range(0, 30).Select(number => new ProcessExit(number, null)), exits);
        Array.ForEach(children, child => child.Dispose());
    }

    [Fact]
    public async Task A_process_that_is_not_ours_is_only_told_to_be_gone()
    {
        // The shell's own child, left behind by it.
        using ChildProcess shell = await RunShellAsync("sleep 60 & echo $!; exec >/dev/null 2>&1");
        await shell.Process.Exited.WaitAsync(Deadline, Token);
        using PidFd orphan = PidFd.Open(int.Parse(shell.OutputTail, CultureInfo.InvariantCulture));

        orphan.Signal(9);

        Assert.Equal(ProcessExit.Unknown, await orphan.Exited.WaitAsync(Deadline, Token));
    }

    private static ChildSettings SettingsFor(string script) => new() { Program = "/bin/sh", Arguments = ["-c", script] };

    private static Task<ChildProcess> RunShellAsync(string script) => ChildProcess.StartAsync(SettingsFor(script));
}
