using CsCheck;
using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Nri;
using Vks.Spherelet.Nri.Wire;
using Vks.Spherelet.Pods;
using Container = Vks.Spherelet.Nri.Wire.Container;
using HugepageLimit = Vks.Spherelet.Nri.Wire.HugepageLimit;

namespace Vks.Tests.Spherelet.Nri;

/// <summary>What becomes of a container when plugins change it one after another.</summary>
public sealed class NriAdjustmentsTests
{
    [Fact]
    public void Who_takes_away_what_another_has_set_may_set_it_anew()
    {
        Adjustments adjustments = New("A=image");

        Apply(adjustments, "1", new ContainerAdjustment { Env = { Env("A", "one"), Env("B", "one") }, Annotations = { ["x"] = "one" } });
        Apply(adjustments, "2", new ContainerAdjustment { Env = { Env("-A", ""), Env("A", "two"), Env("-B", "") }, Annotations = { ["-x"] = "", ["x"] = "two" } });

        Assert.Equal(["A=two"], adjustments.Container.Env);
        Assert.Equal("two", adjustments.Container.Annotations["x"]);
        Assert.Equal("2", adjustments.Owners.Owners["c"].Compound[(int)AdjustedField.Env].Owners["A"]);
    }

    [Fact]
    public void Two_that_set_the_same_are_refused_by_name_whatever_it_is()
    {
        ContainerAdjustment[] ones =
        [
            new() { Env = { Env("A", "b") } },
            new() { Annotations = { ["a"] = "b" } },
            new() { Args = { "sh" } },
            new() { Mounts = { new Mount { Destination = "/a", Type = "bind", Source = "/" } } },
            new() { Rlimits = { new POSIXRlimit { Type = "RLIMIT_CORE" } } },
            new() { Linux = new LinuxContainerAdjustment { OomScoreAdj = new OptionalInt { Value = 1 } } },
            new() { Linux = new LinuxContainerAdjustment { SeccompPolicy = new LinuxSeccomp { DefaultAction = "SCMP_ACT_ALLOW" } } },
            new() { Linux = new LinuxContainerAdjustment { Devices = { new LinuxDevice { Path = "/dev/fuse" } } } },
            Resources(new LinuxResources { Memory = new LinuxMemory { Limit = new OptionalInt64 { Value = 1 } } }),
            Resources(new LinuxResources { Cpu = new LinuxCPU { Cpus = "0" } }),
            Resources(new LinuxResources { Pids = new LinuxPids { Limit = 1 } }),
            Resources(new LinuxResources { Unified = { ["memory.high"] = "1" } }),
            Resources(new LinuxResources { HugepageLimits = { new HugepageLimit { PageSize = "2MB" } } }),
        ];

        foreach (ContainerAdjustment one in ones)
        {
            Adjustments adjustments = New();
            Apply(adjustments, "10-first", one);
            Apply(adjustments, "10-first", one);
            PodException refused = Assert.Throws<PodException>(() => Apply(adjustments, "20-second", one));

            Assert.Equal(PodFault.Refused, refused.Fault);
            Assert.Contains("10-first", refused.Message, StringComparison.Ordinal);
            Assert.Contains("20-second", refused.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_last_value_of_each_variable_is_in_the_environment_once() =>
        Gen.Select(Gen.Char['A', 'D'], Gen.Char['a', 'z'], Gen.Bool).Array[0, 30].Sample(steps =>
        {
            Adjustments adjustments = New("A=0", "Z=0");
            var expected = new Dictionary<string, string> { ["A"] = "0", ["Z"] = "0" };
            foreach ((char name, char value, bool remove) in steps)
            {
                Apply(adjustments, "1", new ContainerAdjustment { Env = { remove ? Env($"-{name}", "") : Env($"{name}", $"{value}") } });
                if (remove)
                {
                    expected.Remove($"{name}");
                }
                else
                {
                    expected[$"{name}"] = $"{value}";
                }
            }

            Assert.Equal(expected.Select(one => $"{one.Key}={one.Value}").Order(), adjustments.Container.Env.Order());
        });

    [Fact]
    public void Limits_of_several_plugins_come_together_and_the_rest_stays()
    {
        Adjustments adjustments = New();
        Apply(adjustments, "1", Resources(new LinuxResources { Memory = new LinuxMemory { Limit = new OptionalInt64 { Value = 100 << 20 } } }));
        Apply(adjustments, "2", Resources(new LinuxResources { Cpu = new LinuxCPU { Shares = new OptionalUInt64 { Value = 1 }, Cpus = "0-1" }, Pids = new LinuxPids { Limit = -1 } }));

        ContainerDraft draft = DraftWriter.Apply(Draft(new ResourceLimits { PidsLimit = 9, CpuPeriodMicroseconds = 5000 }), adjustments);

        ResourceLimits limits = draft.Record.Config.Resources;
        Assert.Equal((100 << 20, 2, "0-1", 0, 5000), (limits.MemoryBytes, limits.CpuShares, limits.CpusetCpus, limits.PidsLimit, limits.CpuPeriodMicroseconds));
        Assert.Equal(limits, draft.Spec.Resources);
    }

    [Fact]
    public void A_mount_replaces_the_one_at_its_place_and_can_be_taken_away()
    {
        Adjustments adjustments = New();
        Apply(adjustments, "1", new ContainerAdjustment
        {
            Mounts =
            {
                new Mount { Destination = "/kept", Type = "bind", Source = "/other", Options = { "rbind", "rro", "rslave" } },
                new Mount { Destination = "-/gone" },
                new Mount { Destination = "/memory", Type = "tmpfs", Options = { "size=1m" } },
            },
        });

        ContainerDraft draft = DraftWriter.Apply(Draft(new ResourceLimits()), adjustments);

        ContainerMount mount = Assert.Single(draft.Record.Config.Mounts);
        Assert.Equal(("/kept", "/other", true, true, true), (mount.ContainerPath, mount.HostPath, mount.ReadOnly, mount.RecursiveReadOnly, mount.FollowsHost));
        Assert.Equal((MountSource.Tmpfs, "/memory"), (draft.ExtraMounts.Single().Kind, draft.ExtraMounts.Single().Destination));
    }

    [Theory]
    [InlineData("relative", "bind", "/a", "rbind")]
    [InlineData("/", "bind", "/a", "rbind")]
    [InlineData("/x/../y", "bind", "/a", "rbind")]
    [InlineData("/x", "bind", "a", "rbind")]
    [InlineData("/x", "bind", "/a/../b", "rbind")]
    [InlineData("/x", "bind", "/a", "rshared")]
    [InlineData("/x", "bind", "/a", "nosuid")]
    [InlineData("/x", "proc", "proc", "ro")]
    [InlineData("/", "tmpfs", "", "ro")]
    public void A_mount_that_cannot_be_is_refused(string destination, string type, string source, string option)
    {
        Adjustments adjustments = New();
        Apply(adjustments, "1", new ContainerAdjustment { Mounts = { new Mount { Destination = destination, Type = type, Source = source, Options = { option } } } });

        Assert.Equal(PodFault.Refused, Assert.Throws<PodException>(() => DraftWriter.Apply(Draft(new ResourceLimits()), adjustments)).Fault);
    }

    [Fact]
    public void What_belongs_to_the_host_is_refused()
    {
        ContainerAdjustment[] impossible =
        [
            new() { Hooks = new Hooks { Poststop = { new Hook { Path = "/bin/true" } } } },
            new() { CDIDevices = { new CDIDevice { Name = "a/b=c" } } },
            new() { Args = { "" } },
            new() { Env = { Env("", "x") } },
            new() { Env = { Env("A=B", "x") } },
            new() { Linux = new LinuxContainerAdjustment { CgroupsPath = "/x" } },
            new() { Linux = new LinuxContainerAdjustment { IoPriority = new LinuxIOPriority { Priority = 1 } } },
            new() { Linux = new LinuxContainerAdjustment { Namespaces = { new LinuxNamespace { Type = "network", Path = "/x" } } } },
            new() { Linux = new LinuxContainerAdjustment { Sysctl = { ["net.a"] = "1" } } },
            new() { Linux = new LinuxContainerAdjustment { NetDevices = { ["eth1"] = new LinuxNetDevice { Name = "eth1" } } } },
            new() { Linux = new LinuxContainerAdjustment { Scheduler = new LinuxScheduler { Nice = 1 } } },
            new() { Linux = new LinuxContainerAdjustment { Rdt = new LinuxRdt { ClosId = new OptionalString { Value = "x" } } } },
            new() { Linux = new LinuxContainerAdjustment { MemoryPolicy = new LinuxMemoryPolicy { Nodes = "0" } } },
        ];

        Assert.All(impossible, asked =>
        {
            PodException refused = Assert.Throws<PodException>(() => Apply(New(), "10-dreamer", asked));
            Assert.Equal(PodFault.Refused, refused.Fault);
            Assert.Contains("10-dreamer", refused.Message, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void A_seccomp_policy_becomes_the_one_of_the_OCI_spec()
    {
        Adjustments adjustments = New();
        Apply(adjustments, "1", new ContainerAdjustment
        {
            Linux = new LinuxContainerAdjustment
            {
                SeccompPolicy = new LinuxSeccomp
                {
                    DefaultAction = "SCMP_ACT_ALLOW",
                    Syscalls = { new LinuxSyscall { Names = { "mkdir" }, Action = "SCMP_ACT_ERRNO", ErrnoRet = new OptionalUInt32 { Value = 13 }, Args = { new LinuxSeccompArg { Index = 1, Value = 2, Op = "SCMP_CMP_EQ" } } } },
                },
            },
        });

        Assert.Equal(
            """{"defaultAction":"SCMP_ACT_ALLOW","architectures":[],"flags":[],"syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO","errnoRet":13,"args":[{"index":1,"value":2,"valueTwo":0,"op":"SCMP_CMP_EQ"}]}]}""",
            DraftWriter.Apply(Draft(new ResourceLimits()), adjustments).Spec.SeccompJson);
    }

    [Fact]
    public void Changes_of_other_containers_must_succeed_if_one_plugin_says_so()
    {
        Adjustments adjustments = New();
        adjustments.Apply("1", new CreateContainerResponse { Update = { Update("other", mayFail: true, 10) } });
        adjustments.Apply("1", new CreateContainerResponse { Update = { Update("other", mayFail: false, 20), Update("another", mayFail: true, 30) } });

        Assert.Equal(
            [("other", 20L, false), ("another", 30L, true)],
            DraftWriter.Apply(Draft(new ResourceLimits()), adjustments).Others.Select(one => (one.ContainerId, one.Change.PidsLimit, one.MayFail)));
    }

    private static ContainerUpdate Update(string id, bool mayFail, long pids) => new()
    {
        ContainerId = id, IgnoreFailure = mayFail, Linux = new LinuxContainerUpdate { Resources = new LinuxResources { Pids = new LinuxPids { Limit = pids } } },
    };

    private static KeyValue Env(string name, string value) => new() { Key = name, Value = value };

    private static ContainerAdjustment Resources(LinuxResources resources) => new() { Linux = new LinuxContainerAdjustment { Resources = resources } };

    private static void Apply(Adjustments adjustments, string plugin, ContainerAdjustment asked) =>
        adjustments.Apply(plugin, new CreateContainerResponse { Adjust = asked });

    private static Adjustments New(params string[] environment) =>
        new(new Container { Id = "c", Args = { "sleep" }, Env = { environment }, Linux = new LinuxContainer { Resources = new LinuxResources() } });

    private static ContainerDraft Draft(ResourceLimits limits)
    {
        var config = new ContainerConfig
        {
            Name = "c", Image = "i", Resources = limits,
            Mounts = [new ContainerMount { ContainerPath = "/kept", HostPath = "/a" }, new ContainerMount { ContainerPath = "/gone", HostPath = "/b" }],
        };
        var process = new ProcessSpec { Args = ["sleep"] };
        return new ContainerDraft(
            new ContainerRecord { Id = "c", PodId = "p", Config = config, ImageId = "i", ImageRef = "i", Disks = [], StopSignal = 15, CreatedUnixNanoseconds = 1, Process = process },
            new ContainerSpec { ContainerId = "c", ImageDisk = "d", Process = process, Resources = limits });
    }
}
