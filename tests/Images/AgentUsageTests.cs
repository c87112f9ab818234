using Vks.Agent.Containers;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Tests.Images;

/// <summary>What the agent reads of cgroups and writable layers.</summary>
public sealed class AgentUsageTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vks-test-").FullName;

    [Fact]
    public void A_cgroup_is_read_from_its_files()
    {
        Write("cpu.stat", "usage_usec 3000000\nuser_usec 2000000\nsystem_usec 1000000\nnr_periods 7\nnr_throttled 2\nthrottled_usec 5\n");
        Write("memory.current", "1000\n");
        Write("memory.max", "max\n");
        Write("memory.swap.max", "77\n");
        Write("memory.low", "88\n");
        Write("memory.min", "80\n");
        Write("hugetlb.2MB.current", "4194304\n");
        Write("hugetlb.2MB.rsvd.current", "8388608\n");
        Write("hugetlb.1GB.current", "0\n");
        Write("memory.stat", "anon 10\nfile 20\nfile_mapped 30\nkernel 35\ninactive_file 40\nactive_file 50\npgfault 60\npgmajfault 70\n");
        Write("memory.events", "low 0\nhigh 0\nmax 4\noom 3\noom_kill 2\noom_group_kill 0\n");
        Write("pids.current", "5\n");
        Write("pids.max", "100\n");
        Write("cgroup.procs", "11\n12\n");
        Directory.CreateDirectory(Path.Combine(_folder, "below"));
        Write("below/cgroup.procs", "13\n");
        Write("memory.pressure", "some avg10=1.50 avg60=0.25 avg300=0.01 total=123456\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=99\n");

        GroupUsage usage = GroupReader.Read(_folder)!;

        Assert.Equal((3_000_000_000, 2_000_000_000, 1_000_000_000), (usage.CpuNanoseconds, usage.CpuUserNanoseconds, usage.CpuSystemNanoseconds));
        Assert.Equal((7, 2, 5000), (usage.CpuPeriods, usage.CpuThrottledPeriods, usage.CpuThrottledNanoseconds));
        Assert.Equal((1000, 0, 10, 20, 30, 35), (usage.MemoryBytes, usage.MemoryLimitBytes, usage.AnonymousBytes, usage.FileBytes, usage.MappedFileBytes, usage.KernelBytes));
        Assert.Equal((77, 88), (usage.SwapLimitBytes, usage.MemoryReservedBytes));
        Assert.Equal([new HugepageUsage("1GB", 0), new HugepageUsage("2MB", 4 << 20)], usage.Hugepages);
        Assert.Equal((40, 50, 60, 70), (usage.InactiveFileBytes, usage.ActiveFileBytes, usage.PageFaults, usage.MajorPageFaults));
        Assert.Equal((4, 2, 3, 5, 100), (usage.MemoryLimitHits, usage.OutOfMemoryKills, usage.Processes, usage.Threads, usage.ThreadsLimit));
        Assert.Equal(new PressureStall(new StallTimes(1.5, 0.25, 0.01, 123456), new StallTimes(0, 0, 0, 99)), usage.MemoryPressure);
        Assert.Null(usage.CpuPressure);
    }

    [Fact]
    public void Open_files_and_sockets_are_those_of_the_groups_processes()
    {
        Write("cpu.stat", "usage_usec 1\n");
        Write("cgroup.procs", string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Environment.ProcessId}\n"));
        GroupUsage before = GroupReader.Read(_folder)!;

        using (var socket = new System.Net.Sockets.Socket(System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp))
        {
            Assert.InRange(GroupReader.Read(_folder)!.Sockets, 1, GroupReader.Read(_folder)!.FileDescriptors - 3);
        }

        Assert.InRange(before.FileDescriptors, 3, long.MaxValue);
        Write("cgroup.procs", "2147483647\n");
        Assert.Equal((1, 0, 0), (GroupReader.Read(_folder)!.Processes, GroupReader.Read(_folder)!.FileDescriptors, GroupReader.Read(_folder)!.Sockets));
    }

    [Fact]
    public void The_limit_of_open_files_is_the_soft_one_of_the_process()
    {
        const string Limits = "Limit                     Soft Limit           Hard Limit           Units     \nMax processes             7                    9                    processes \nMax open files            1024                 4096                 files     \n";

        Assert.Equal(1024, GroupReader.ParseOpenFilesLimit(Limits));
        Assert.InRange(GroupReader.OpenFilesLimit(Environment.ProcessId), 1, long.MaxValue);
        Assert.Equal(0, GroupReader.OpenFilesLimit(int.MaxValue));
    }

    [Theory]
    [InlineData("")]
    [InlineData("Max open files")]
    [InlineData("Max open files            unlimited            unlimited            files     \n")]
    public void What_tells_no_limit_of_open_files_reads_as_zero(string text) => Assert.Equal(0, GroupReader.ParseOpenFilesLimit(text));

    [Fact]
    public void A_cgroup_that_is_gone_is_no_cgroup_of_zeros() => Assert.Null(GroupReader.Read(Path.Combine(_folder, "none")));

    [Theory]
    [InlineData("")]
    [InlineData("garbage\n\n=\nsome\n")]
    [InlineData("some avg10=x total=y\nfull total=-1\n")]
    public void What_is_no_pressure_reads_as_none_or_zeros(string text)
    {
        PressureStall? pressure = GroupReader.ParsePressure(text);

        Assert.True(pressure is null || (pressure.Some.TotalMicroseconds == 0 && pressure.Full.TotalMicroseconds == 0));
    }

    [Fact]
    public void Disks_are_told_by_name_and_those_without_counters_are_left_out() =>
        Assert.Equal(
            [new DeviceCounters("disk8:16", 4096, 8192, 1, 2)],
            GroupReader.ParseDevices("8:0\n8:16 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n", number => "disk" + number));

    [Fact]
    public void A_layer_counts_blocks_and_every_file_once()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "a/b"));
        File.WriteAllBytes(Path.Combine(_folder, "a/full"), new byte[100_000]);
        using (FileStream sparse = File.Create(Path.Combine(_folder, "a/b/sparse")))
        {
            sparse.SetLength(1L << 30);
        }

        File.CreateSymbolicLink(Path.Combine(_folder, "a/link"), "/usr");
        Assert.Equal(0, Link(Path.Combine(_folder, "a/full"), Path.Combine(_folder, "again")));

        (long bytes, long inodes) = LayerMeter.Measure(_folder);

        Assert.Equal(5, inodes);
        Assert.InRange(bytes, 100_000, 200_000);
        Assert.Equal((0, 0), LayerMeter.Measure(Path.Combine(_folder, "none")));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private void Write(string file, string text) => File.WriteAllText(Path.Combine(_folder, file), text);

    private static unsafe int Link(string from, string to)
    {
        fixed (byte* old = System.Text.Encoding.UTF8.GetBytes(from + "\0"))
        fixed (byte* name = System.Text.Encoding.UTF8.GetBytes(to + "\0"))
        {
            return Tmds.Linux.LibC.link(old, name);
        }
    }
}
