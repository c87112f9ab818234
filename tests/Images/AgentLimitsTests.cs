using Vks.Agent.Channel;
using Vks.Agent.Containers;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Tests.Images;

/// <summary>Which files of a cgroup limits become, and that a change of them is whole or none.</summary>
public sealed class AgentLimitsTests : IDisposable
{
    private static readonly GuestHardware s_hardware = new(new HashSet<int> { 0, 1 }, new HashSet<string> { "2MB" });

    private readonly string _folder = Directory.CreateTempSubdirectory("vks-test-limits-").FullName;

    [Fact]
    public void Limits_are_these_files_and_none_are_those_of_a_new_cgroup()
    {
        Assert.Equal(
            ["cpu.weight=100", "cpu.max=max 100000", "cpuset.cpus=", "memory.max=max", "memory.swap.max=max", "pids.max=max", "hugetlb.2MB.max=max"],
            Lines(new ResourceLimits()));
        Assert.Equal(
            ["cpu.weight=39", "cpu.max=5000 20000", "cpuset.cpus=1", "memory.max=1000", "memory.swap.max=500", "hugetlb.2MB.max=4096", "pids.max=7", "io.weight=10"],
            Lines(new ResourceLimits
            {
                CpuShares = 1024, CpuQuotaMicroseconds = 5000, CpuPeriodMicroseconds = 20_000, CpusetCpus = "1-9", MemoryBytes = 1000, MemorySwapBytes = 1500,
                PidsLimit = 10, HugepageLimits = [new HugepageLimit("2MB", 4096)],
                Unified = new Dictionary<string, string> { ["pids.max"] = "7", ["io.weight"] = "10" },
            }));
        Assert.Equal([1, 1, 10_000, 10_000], new long[] { 1, 2, 262_144, long.MaxValue }.Select(CgroupLimits.Weight));
    }

    [Fact]
    public void Only_what_changes_is_written()
    {
        Make(("cpu.weight", "100"), ("memory.max", "as the container set it itself"));

        CgroupChange.Apply(_folder, [new("cpu.weight", "100"), new("memory.max", "max"), new("gone", "1")], [new("cpu.weight", "200"), new("memory.max", "max"), new("gone", "1")]);

        Assert.Equal(("200", "as the container set it itself"), (Content("cpu.weight"), Content("memory.max")));
    }

    [Fact]
    public void When_one_file_is_refused_the_others_go_back()
    {
        Make(("cpu.weight", "100"), ("io.max", "8:0 rbps=1\n8:16 rbps=2"));

        AgentException refused = Assert.Throws<AgentException>(() => CgroupChange.Apply(
            _folder, [], [new("cpu.weight", "200"), new("io.max", "8:0 rbps=3"), new("memory.no_such", "1")]));

        Assert.Equal(GuestFault.InvalidRequest, refused.Fault);
        Assert.Contains("memory.no_such", refused.Message, StringComparison.Ordinal);
        Assert.StartsWith("100", Content("cpu.weight"), StringComparison.Ordinal);
        Assert.StartsWith("8:16 rbps=2", Content("io.max"), StringComparison.Ordinal);
    }

    [Fact]
    public void Memory_in_use_is_not_limited_away()
    {
        Make(("memory.max", "max"), ("memory.current", "5000"), ("memory.reclaim", ""));

        AgentException refused = Assert.Throws<AgentException>(() => CgroupChange.Apply(_folder, [], [new("memory.max", "4000")]));
        CgroupChange.Apply(_folder, [], [new("memory.max", "6000")]);

        Assert.Equal(GuestFault.WrongState, refused.Fault);
        Assert.Equal(("1000", "6000"), (Content("memory.reclaim"), Content("memory.max")));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static IEnumerable<string> Lines(ResourceLimits limits) => CgroupLimits.Files(limits, s_hardware).Select(file => $"{file.Key}={file.Value}");

    private void Make(params (string File, string Content)[] files)
    {
        foreach ((string file, string content) in files)
        {
            File.WriteAllText(Path.Combine(_folder, file), content);
        }
    }

    /// <summary>What was written; a plain file keeps what was longer behind it, a file of a cgroup does not.</summary>
    private string Content(string file)
    {
        string text = File.ReadAllText(Path.Combine(_folder, file));
        return text.Contains('\n', StringComparison.Ordinal) ? text[..text.IndexOf('\n', StringComparison.Ordinal)] : text;
    }
}
