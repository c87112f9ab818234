using System.Globalization;
using Vks.Runtime.Host;

namespace Vks.Tests.Runtime;

public sealed class HostCgroupTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_child_is_in_its_group_and_the_group_goes_after_it()
    {
        Cgroup cgroup = Cgroup.Create(new CgroupSettings("vks", $"test-{Environment.ProcessId}") { MemoryBytes = 256L << 20, PidsMax = 10 });
        using ChildProcess child = await ChildProcess.StartAsync(new ChildSettings { Program = "/bin/sleep", Arguments = ["60"], Cgroup = cgroup });

        Assert.Empty(cgroup.Missing);
        foreach (string folder in cgroup.Folders)
        {
            Assert.Contains(child.Process.Pid.ToString(CultureInfo.InvariantCulture), await File.ReadAllLinesAsync($"{folder}/cgroup.procs", Token));
        }

        Assert.Contains(cgroup.Folders, folder => File.Exists($"{folder}/pids.max") && File.ReadAllText($"{folder}/pids.max") == "10\n");
        child.Process.Signal(9);
        await child.Process.Exited.WaitAsync(TimeSpan.FromSeconds(10), Token);
        Cgroup found = Cgroup.Find("vks", $"test-{Environment.ProcessId}");
        Assert.Equal(cgroup.Folders, found.Folders);
        await found.RemoveAsync(Token);
        await cgroup.RemoveAsync(Token);
        Assert.DoesNotContain(cgroup.Folders, Directory.Exists);
    }

    [Fact]
    public async Task All_machines_together_weigh_as_much_as_the_hosts_cpus()
    {
        Cgroup cgroup = Cgroup.Create(new CgroupSettings("vks", $"test-weight-{Environment.ProcessId}"));
        try
        {
            int cpus = Environment.ProcessorCount;
            string[] weights = [.. cgroup.Folders.Select(folder => Path.GetDirectoryName(folder)!)
                .SelectMany(parent => new[] { Path.Combine(parent, "cpu.shares"), Path.Combine(parent, "cpu.weight") })
                .Where(File.Exists).Select(file => File.ReadAllText(file).Trim())];

            string weight = Assert.Single(weights);
            Assert.Contains(weight, new[] { 1024 * cpus, 100 * cpus }.Select(value => value.ToString(CultureInfo.InvariantCulture)));
        }
        finally
        {
            await cgroup.RemoveAsync(Token);
        }
    }

    [Fact]
    public void V1_groups_stand_below_the_daemons_own()
    {
        IReadOnlyList<(string, string)> roots = CgroupMounts.ParseV1(
            [
                "25 20 0:22 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
                "26 20 0:23 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct",
                "27 20 0:24 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
                "28 20 0:25 /docker/abc /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids",
                "29 20 0:26 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer",
            ],
            ["5:cpu,cpuacct:/", "4:memory:/system.slice/vks.service", "3:pids:/docker/abc/inner", "0::/x"]);

        Assert.Equal(
            [("cpu", "/sys/fs/cgroup/cpu,cpuacct"), ("memory", "/sys/fs/cgroup/memory/system.slice/vks.service"), ("pids", "/sys/fs/cgroup/pids/inner")], roots);
    }
}
