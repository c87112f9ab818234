using System.Text.Json;
using CsCheck;
using Vks.Agent.Channel;
using Vks.Agent.Containers;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Tests.Images;

/// <summary>What crun is told: the text of config.json, byte by byte, for the three kinds of containers.</summary>
public sealed class AgentOciConfigTests
{
    private static readonly string s_id = new('a', 64);

    private static readonly GuestHardware s_hardware = new(new HashSet<int> { 0, 1 }, new HashSet<string> { "2MB" });

    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true };

    [Fact]
    public void A_plain_container_has_this_config()
    {
        ContainerSpec spec = Plain() with
        {
            Mounts = [new MountSpec { Kind = MountSource.Share, Source = "v/1", Destination = "/data", Options = ["ro"] }],
            MaskedPaths = ["/proc/kcore"],
            ReadOnlyPaths = ["/proc/sys"],
        };

        AssertConfig("plain", spec, new ResolvedUser(0, 0, [], "/root"), "/run/vks/share/v/1");
    }

    [Fact]
    public void A_privileged_container_has_this_config()
    {
        ContainerSpec spec = Plain() with
        {
            Privileged = true,
            PidNamespace = PidNamespace.Guest,
            MaskedPaths = ["/proc/kcore"],
            SeccompJson = """{"defaultAction":"SCMP_ACT_ERRNO"}""",
        };

        AssertConfig("privileged", spec, new ResolvedUser(0, 0, [], "/root"));
    }

    [Fact]
    public void A_limited_container_has_this_config()
    {
        ContainerSpec spec = Plain() with
        {
            ReadOnlyRoot = true,
            PrivateIpc = true,
            SeccompJson = """{"defaultAction":"SCMP_ACT_ALLOW"}""",
            Annotations = new Dictionary<string, string> { ["a"] = "b" },
            Process = Plain().Process with
            {
                Env = ["PATH=/bin"], NoNewPrivileges = true, OomScoreAdjust = 900, AmbientCapabilities = ["CAP_CHOWN"], WorkingDirectory = "",
                Rlimits = [new ResourceLimit("RLIMIT_NOFILE", 1024, 4096)],
            },
            Resources = new ResourceLimits
            {
                CpuShares = 512, CpuQuotaMicroseconds = 50000, CpuPeriodMicroseconds = 100000, CpusetCpus = "0",
                MemoryBytes = 64 << 20, MemorySwapBytes = 128 << 20, PidsLimit = 10,
                Unified = new Dictionary<string, string> { ["memory.high"] = "60000000" },
            },
        };

        AssertConfig("limited", spec, new ResolvedUser(1000, 100, [5, 6], "/home/web"));
    }

    [Fact]
    public void A_mount_of_the_spec_takes_the_place_of_the_usual_one()
    {
        ContainerSpec spec = Plain() with { Mounts = [new MountSpec { Kind = MountSource.Tmpfs, Destination = "/dev/shm/" }, new MountSpec { Kind = MountSource.GuestPath, Source = "/h", Destination = "/etc/hosts" }] };

        JsonElement config = Parse(spec, new ResolvedUser(0, 0, [], "/"), "tmpfs", "/h");

        string[] destinations = [.. config.GetProperty("mounts").EnumerateArray().Select(mount => mount.GetProperty("destination").GetString()!)];
        Assert.Equal(["/dev/shm/"], destinations.Where(path => path.StartsWith("/dev/shm", StringComparison.Ordinal)));
        Assert.Equal(["/etc/hosts"], destinations.Where(path => path == "/etc/hosts"));
    }

    [Fact]
    public void Limits_that_are_not_set_are_not_written() =>
        Assert.Equal("{}", JsonSerializer.Serialize(OciConfigWriter.Resources(new ResourceLimits(), s_hardware), OciJson.Default.OciResources));

    [Fact]
    public void What_only_the_host_has_is_left_out_of_the_limits()
    {
        OciResources part = OciConfigWriter.Resources(new ResourceLimits { CpusetCpus = "1-7", CpusetMems = "1", HugepageLimits = [new("1GB", 0), new("2MB", 4)] }, s_hardware);
        OciResources none = OciConfigWriter.Resources(new ResourceLimits { CpusetCpus = "12-15" }, s_hardware);

        Assert.Equal("1", part.Cpu!.Cpus);
        Assert.Null(part.Cpu.Mems);
        Assert.Equal([new OciHugepageLimit("2MB", 4)], part.HugepageLimits!);
        Assert.Null(none.Cpu);
        AgentException refused = Assert.Throws<AgentException>(() => OciConfigWriter.Resources(new ResourceLimits { HugepageLimits = [new("1GB", 1)] }, s_hardware));
        Assert.Equal(GuestFault.InvalidRequest, refused.Fault);
    }

    [Fact]
    public void Any_list_of_CPUs_is_cut_to_those_the_guest_has() =>
        Gen.Int[0, 300].HashSet[1, 20].Sample(cpus =>
        {
            string? present = s_hardware.Present(string.Join(',', cpus));

            Assert.Equal(cpus.Where(cpu => cpu < 2).Order(), present is null ? [] : GuestHardware.Parse(present));
        });

    [Theory]
    [InlineData(64, "64KB")]
    [InlineData(2048, "2MB")]
    [InlineData(1 << 20, "1GB")]
    [InlineData(16 << 20, "16GB")]
    public void A_page_size_has_the_name_that_its_cgroup_file_has(long kibibytes, string name) => Assert.Equal(name, GuestHardware.PageSizeName(kibibytes));

    [Fact]
    public void Devices_are_made_and_allowed()
    {
        ContainerSpec spec = Plain();
        var device = new GuestDevice(new OciDevice("/dev/fuse", "c", 10, 229, 0x1b6), "rw");

        OciConfig config = OciConfigWriter.Write(
            spec, new BundleFacts(new ResolvedUser(0, 0, [0], "/"), [], [], null, "/vks/x") { Hardware = s_hardware, Devices = [device] });

        Assert.Equal([device.Node], config.Linux.Devices!);
        Assert.Equal(new OciDeviceRule(true, "rw", "c", 10, 229), config.Linux.Resources.Devices![^1]);
    }

    [Fact]
    public void Any_words_come_back_from_the_config_as_they_went_in() =>
        Gen.Select(Gen.String.Array[1, 5], Gen.String.Array[0, 5], Gen.Bool, Gen.UInt).Sample((args, env, privileged, uid) =>
        {
            ContainerSpec spec = Plain() with { Privileged = privileged, Process = Plain().Process with { Args = Clean(args), Env = Clean(env) } };

            JsonElement process = Parse(spec, new ResolvedUser(uid, 0, [], "/")).GetProperty("process");

            Assert.Equal(Clean(args), process.GetProperty("args").EnumerateArray().Select(word => word.GetString()!));
            Assert.Equal(Clean(env), process.GetProperty("env").EnumerateArray().Take(env.Length).Select(word => word.GetString()!));
            Assert.Equal(uid, process.GetProperty("user").GetProperty("uid").GetUInt32());
        });

    private static ContainerSpec Plain() => new()
    {
        ContainerId = s_id,
        ImageDisk = "demo",
        Process = new ProcessSpec { Args = ["/bin/sh", "-c", "true"], Capabilities = ["CAP_CHOWN", "CAP_KILL"] },
    };

    /// <summary>Half of a surrogate pair is no text and cannot come over the wire.</summary>
    private static string[] Clean(string[] words) => [.. words.Select(word => new string([.. word.Where(letter => !char.IsSurrogate(letter))]))];

    private static JsonElement Parse(ContainerSpec spec, ResolvedUser user, params string[] sources) => JsonElement.Parse(Config(spec, user, sources));

    private static string Config(ContainerSpec spec, ResolvedUser user, string[] sources)
    {
        var facts = new BundleFacts(user, [("/run/vks/etc/hosts", "/etc/hosts")], sources, null, "/vks/" + spec.ContainerId) { Hardware = s_hardware };
        return JsonSerializer.Serialize(OciConfigWriter.Write(spec, facts), OciJson.Default.OciConfig);
    }

    private static void AssertConfig(string name, ContainerSpec spec, ResolvedUser user, params string[] sources)
    {
        string path = Kit.RepositoryRoot.Combine($"tests/Images/golden/agent-config-{name}.json");
        string actual = Config(spec, user, sources);
        if (Environment.GetEnvironmentVariable("VKS_WRITE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, JsonSerializer.Serialize(JsonElement.Parse(actual), s_indented) + "\n");
        }

        Assert.True(
            JsonElement.DeepEquals(JsonElement.Parse(File.ReadAllText(path)), JsonElement.Parse(actual)),
            $"config.json differs from {path} (VKS_WRITE_GOLDEN=1 writes it anew): {actual}");
    }
}
