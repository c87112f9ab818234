using Microsoft.Win32.SafeHandles;
using Vks.Runtime.Host;

namespace Vks.Tests.Runtime;

/// <summary>A child that opens a file for writing and gets it for reading only.</summary>
public sealed class HostOpenGateTests : IDisposable
{
    private const string Path = "/vks-test-stand-in";
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);
    private readonly string _file = System.IO.Path.GetTempFileName();

    public HostOpenGateTests() => File.WriteAllBytes(_file, [.. Enumerable.Repeat((byte)'x', 8192)]);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => File.Delete(_file);

    [Fact]
    public async Task A_hole_in_the_file_is_reported_as_made_and_is_not()
    {
        // fallocate(1) opens the path with O_RDWR, as QEMU does, and punches a hole.
        (int? code, string words) = await RunAsync("/usr/bin/fallocate", ["--punch-hole", "--length", "4096", Path], withGate: true);

        Assert.Equal((0, ""), (code, words));
        Assert.Equal(8192, (await File.ReadAllBytesAsync(_file, Token)).Count(value => value == (byte)'x'));
    }

    [Fact]
    public async Task Without_the_gate_there_is_no_such_file()
    {
        (int? code, string words) = await RunAsync("/usr/bin/fallocate", ["--punch-hole", "--length", "4096", Path], withGate: false);

        Assert.Equal(1, code);
        Assert.Contains("No such file", words, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Other_files_are_opened_as_always_and_holes_in_them_are_holes()
    {
        string other = System.IO.Path.GetTempFileName();
        await File.WriteAllBytesAsync(other, [.. Enumerable.Repeat((byte)'y', 8192)], Token);
        File.SetUnixFileMode(other, (UnixFileMode)0b110_110_110);
        try
        {
            (int? code, string words) = await RunAsync("/usr/bin/fallocate", ["--punch-hole", "--length", "4096", other], withGate: true);

            Assert.Equal((0, ""), (code, words));
            Assert.Equal(4096, (await File.ReadAllBytesAsync(other, Token)).Count(value => value == (byte)'y'));
        }
        finally
        {
            File.Delete(other);
        }
    }

    [Fact]
    public async Task A_child_whose_open_is_interrupted_time_and_again_gets_the_file()
    {
        // Each signal withdraws the question, at whatever moment of its being answered; the call is begun anew after it.
        const string Program = """
            import ctypes, os, signal, sys
            libc = ctypes.CDLL(None, use_errno=True)
            signal.signal(signal.SIGALRM, lambda *_: None)
            signal.siginterrupt(signal.SIGALRM, False)
            signal.setitimer(signal.ITIMER_REAL, 0.00005, 0.00005)
            descriptor = libc.open(sys.argv[1].encode(), os.O_RDWR)
            errno = ctypes.get_errno()
            signal.setitimer(signal.ITIMER_REAL, 0)
            sys.stdout.write(os.strerror(errno) if descriptor < 0 else "%d bytes" % len(os.read(descriptor, 10000)))
            """;
        for (int i = 0; i < 20; i++)
        {
            (int? code, string words) = await RunAsync("/usr/bin/python3", ["-c", Program, Path], withGate: true);
            Assert.True(words == "8192 bytes", $"try {i}: code {code}: {words}");
        }
    }

    [Fact]
    public async Task No_thread_of_the_daemon_takes_on_a_childs_namespaces_or_filter()
    {
        string before = Namespace("self");

        for (int i = 0; i < 20; i++)
        {
            await RunAsync("/bin/true", [], withGate: true);
        }

        foreach (string thread in Directory.EnumerateDirectories("/proc/self/task"))
        {
            // One that ended while we looked has no namespace to tell.
            Assert.Contains(Namespace("self/task/" + System.IO.Path.GetFileName(thread)), new[] { before, "" });
        }

        // What a pool's thread with the filter could not do: nobody would answer.
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => File.OpenHandle(_file, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite).Dispose(), Token)))
            .WaitAsync(Deadline, Token);
    }

    private static string Namespace(string process) => new FileInfo($"/proc/{process}/ns/mnt").LinkTarget ?? "";

    private async Task<(int? Code, string Words)> RunAsync(string program, string[] arguments, bool withGate)
    {
        using SafeFileHandle file = File.OpenHandle(_file);
        using ChildProcess child = await ChildProcess.StartAsync(new ChildSettings
        {
            Program = program,
            Arguments = arguments,
            OwnMountNamespace = true,
            User = new ChildUser(2_400_000, 2_400_000, [], []),
            StandIn = withGate ? new ReadOnlyStandIn(Path, file, Number: 60) : null,
        });
        ProcessExit exit = await child.Process.Exited.WaitAsync(Deadline, Token);
        await child.OutputEnded.WaitAsync(Deadline, Token);
        return (exit.ExitCode, child.OutputTail.Trim());
    }
}
