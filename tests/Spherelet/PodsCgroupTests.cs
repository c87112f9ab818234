using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Pods;

namespace Vks.Tests.Spherelet;

/// <summary>A pod's limits as its control group has them.</summary>
public sealed class PodsCgroupTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("vks-test-cgroup-").FullName;

    [Fact]
    public void The_limits_are_read_from_version_1()
    {
        Write("memory/kubepods/pod1/memory.limit_in_bytes", "134217728\n");
        Write("cpu/kubepods/pod1/cpu.cfs_quota_us", "150000\n");
        Write("cpu/kubepods/pod1/cpu.cfs_period_us", "100000\n");

        ResourceLimits limits = PodCgroup.Read("/kubepods/pod1", _root);

        Assert.Equal((134_217_728, 150_000, 100_000), (limits.MemoryBytes, limits.CpuQuotaMicroseconds, limits.CpuPeriodMicroseconds));
    }

    [Fact]
    public void The_limits_are_read_from_version_2_by_the_name_of_a_slice()
    {
        Write("cgroup.controllers", "cpu memory\n");
        Write("kubepods.slice/kubepods-pod1.slice/memory.max", "134217728\n");
        Write("kubepods.slice/kubepods-pod1.slice/cpu.max", "150000 100000\n");

        ResourceLimits limits = PodCgroup.Read("kubepods-pod1.slice", _root);

        Assert.Equal((134_217_728, 150_000, 100_000), (limits.MemoryBytes, limits.CpuQuotaMicroseconds, limits.CpuPeriodMicroseconds));
    }

    [Theory]
    [InlineData("memory/p/memory.limit_in_bytes", "9223372036854771712\n")]
    [InlineData("cpu/p/cpu.cfs_quota_us", "-1\n")]
    [InlineData("cpu/p/cpu.cfs_quota_us", "rubbish\n")]
    public void What_is_no_limit_is_not_taken_for_one(string file, string content)
    {
        Write(file, content);

        ResourceLimits limits = PodCgroup.Read("/p", _root);

        Assert.Equal((0, 0), (limits.MemoryBytes, limits.CpuQuotaMicroseconds));
    }

    [Theory]
    [InlineData("/not/there")]
    [InlineData("/")]
    [InlineData("")]
    [InlineData("/../../etc")]
    public void A_group_that_is_not_there_has_no_limits(string parent) => Assert.Equal(0, PodCgroup.Read(parent, _root).MemoryBytes);

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private void Write(string file, string content)
    {
        string path = Path.Combine(_root, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content);
    }
}
