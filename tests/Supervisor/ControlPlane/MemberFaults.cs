using System.Globalization;
using CliWrap;
using CliWrap.Buffered;
using Tmds.Linux;
using Vks.Tests.Kit;

namespace Vks.Tests.Supervisor.ControlPlane;

/// <summary>What may befall a member, and how it is mended afterwards.</summary>
internal sealed class MemberFaults(ControlPlaneLab lab)
{
    /// <summary>Every fault by its name.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        "kill -9 of the holder", "kill -9 of another member", "kill -9 of the holder's kube-apiserver", "kill -9 of the holder's etcd", "holder's kube-apiserver hangs",
        "holder stopped (SIGSTOP) with all its programs", "holder stopped (SIGSTOP), its programs go on", "holder's cable pulled", "another's cable pulled",
        "holder's etcd disk full", "holder told to stop (SIGTERM)", .. LinkFaults.Names, .. ClockFaults.Names,
    ];

    /// <summary>Does it. What it gives mends it.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="holder">The member that has the floating address.</param>
    public async Task<Func<Task>> DoAsync(string name, int holder)
    {
        int other = lab.Numbers.First(number => number != holder);
        switch (name)
        {
            case "kill -9 of the holder":
                await lab.Process(holder).KillAsync();
                return () => AgainAsync(holder);
            case "kill -9 of another member":
                await lab.Process(other).KillAsync();
                return () => AgainAsync(other);
            case "kill -9 of the holder's kube-apiserver":
                Signal(holder, "kube-apiserver", LibC.SIGKILL);
                return () => lab.ReadyAsync(holder);
            case "kill -9 of the holder's etcd":
                Signal(holder, "etcd", LibC.SIGKILL);
                return () => lab.ReadyAsync(holder);
            case "holder's kube-apiserver hangs":
                Signal(holder, "kube-apiserver", LibC.SIGSTOP);
                return () => AnswersAsync(holder);
            case "holder stopped (SIGSTOP) with all its programs":
                lab.Process(holder).Signal(LibC.SIGSTOP, group: true);
                return () => ContinueAsync(holder, group: true);
            case "holder stopped (SIGSTOP), its programs go on":
                lab.Process(holder).Signal(LibC.SIGSTOP);
                return () => ContinueAsync(holder, group: false);
            case "holder's cable pulled":
                await lab.Hosts.CableAsync(holder, plugged: false);
                return () => PlugInAsync(holder);
            case "another's cable pulled":
                await lab.Hosts.CableAsync(other, plugged: false);
                return () => PlugInAsync(other);
            case "holder's etcd disk full":
                return await FillDiskAsync(holder);
            case "holder told to stop (SIGTERM)":
                Assert.Equal(0, await lab.Process(holder).StopAsync());
                return () => AgainAsync(holder);
            default:
                return LinkFaults.Names.Contains(name) ? await new LinkFaults(lab).DoAsync(name, holder) : await new ClockFaults(lab).DoAsync(name, holder);
        }
    }

    private async Task AgainAsync(int number)
    {
        lab.Launch(number);
        await lab.ReadyAsync(number);
    }

    private void Signal(int number, string program, int signal)
    {
        int pid = lab.State(number)!.Programs.Single(one => one.Name == program).ProcessId;
        Assert.Equal(0, LibC.kill(pid, signal));
    }

    private async Task AnswersAsync(int number)
    {
        Signal(number, "kube-apiserver", LibC.SIGCONT);
        await lab.ReadyAsync(number);
    }

    private async Task ContinueAsync(int number, bool group)
    {
        lab.Process(number).Signal(LibC.SIGCONT, group);
        await lab.ReadyAsync(number);
    }

    private async Task PlugInAsync(int number)
    {
        await lab.Hosts.CableAsync(number, plugged: true);
        await lab.ReadyAsync(number);
    }

    private async Task<Func<Task>> FillDiskAsync(int number)
    {
        string filler = Path.Combine(lab.Folder(number), "etcd", "filler");
        BufferedCommandResult fill = await Cli.Wrap("dd").WithArguments(["if=/dev/zero", "of=" + filler, "bs=64k"]).WithValidation(CommandResultValidation.None).ExecuteBufferedAsync();
        Assert.Contains("No space left", fill.StandardError, StringComparison.Ordinal);
        return async () =>
        {
            File.Delete(filler);
            await lab.ReadyAsync(number);
        };
    }

    /// <summary>Gives each member's etcd a disk of its own that a test can fill.</summary>
    public static async Task<IAsyncDisposable> SmallDisksAsync(ControlPlaneLab lab, int mib)
    {
        Disks disks = new();
        foreach (int number in lab.Numbers)
        {
            string folder = Path.Combine(lab.Folder(number), "etcd");
            Directory.CreateDirectory(folder);
            await Cli.Wrap("mount").WithArguments(["-t", "tmpfs", "-o", string.Create(CultureInfo.InvariantCulture, $"size={mib}m,mode=700"), "etcd-test", folder]).ExecuteAsync();
            disks.Folders.Add(folder);
        }

        return disks;
    }

    private sealed class Disks : IAsyncDisposable
    {
        public List<string> Folders { get; } = [];

        public async ValueTask DisposeAsync()
        {
            foreach (string folder in Folders)
            {
                await Cli.Wrap("umount").WithArguments([folder]).ExecuteAsync();
            }
        }
    }
}
