using System.Text;
using CsCheck;
using Google.Protobuf;
using Grpc.Core;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Machines;
using Vks.Spherelet.Cri;
using Vks.Spherelet.Images;
using Vks.Spherelet.Network;
using Vks.Spherelet.Pods;
using V1 = Vks.Spherelet.Cri.V1;

namespace Vks.Tests.Spherelet;

/// <summary>Requests in, domain out; faults in, codes out.</summary>
public sealed class CriConversionTests
{
    [Fact]
    public void A_pod_config_is_read_whole()
    {
        V1.PodSandboxConfig config = Pod();
        config.DnsConfig = new V1.DNSConfig { Servers = { "10.0.0.1" }, Searches = { "a.b" } };
        config.PortMappings.Add(new V1.PortMapping { ContainerPort = 80, HostPort = 8080, HostIp = "127.0.0.1", Protocol = V1.Protocol.Udp });
        config.PortMappings.Add(new V1.PortMapping { ContainerPort = 81 });
        config.Linux = new V1.LinuxPodSandboxConfig
        {
            Resources = new V1.LinuxContainerResources { CpuQuota = 5000, MemoryLimitInBytes = 6 },
            Overhead = new V1.LinuxContainerResources { MemoryLimitInBytes = 7 },
        };

        PodConfig read = PodConfigReader.Read(config, "");

        Assert.Equal(new PodName("web", "default", "uid-1", 2), read.Name);
        Assert.Equal("web", read.Hostname);
        Assert.Equal(["10.0.0.1"], read.Dns!.Servers);
        Assert.Equal([new PodPortMapping("udp", 80, 8080, "127.0.0.1")], read.PortMappings);
        Assert.Equal((5000, 6, 7), (read.Resources.CpuQuotaMicroseconds, read.Resources.MemoryBytes, read.Overhead.MemoryBytes));
    }

    private static readonly (string Field, Action<V1.PodSandboxConfig> Change)[] s_wrongPods =
    [
        ("metadata", config => config.Metadata = null),
        ("metadata.name", config => config.Metadata.Name = ""),
        ("metadata.uid", config => config.Metadata.Uid = "a/b"),
        ("metadata.namespace", config => config.Metadata.Namespace = "a;b"),
        ("log_directory", config => config.LogDirectory = "/var/log/../../etc"),
        ("log_directory", config => config.LogDirectory = "relative"),
        ("hostname", config => config.Hostname = new string('x', 64)),
        ("hostname", config => config.Hostname = "two words"),
        ("dns_config", config => config.DnsConfig = new V1.DNSConfig { Servers = { "not-an-address" } }),
        ("dns_config", config => config.DnsConfig = new V1.DNSConfig { Options = { "a\nnameserver 6.6.6.6" } }),
        ("port_mappings", config => config.PortMappings.Add(new V1.PortMapping { HostPort = 70000, ContainerPort = 1 })),
        ("network", config => config.Linux = Security(new V1.NamespaceOption { Network = V1.NamespaceMode.Node })),
        ("pid", config => config.Linux = Security(new V1.NamespaceOption { Pid = V1.NamespaceMode.Target })),
        ("ipc", config => config.Linux = Security(new V1.NamespaceOption { Ipc = (V1.NamespaceMode)7 })),
        ("sysctls", config => config.Linux = new V1.LinuxPodSandboxConfig { Sysctls = { ["net..x"] = "1" } }),
    ];

    [Fact]
    public void A_pod_config_that_cannot_be_is_refused_by_the_field_that_is_wrong() => Assert.All(s_wrongPods, wrong =>
    {
        V1.PodSandboxConfig config = Pod();
        wrong.Change(config);

        PodException refused = Assert.Throws<PodException>(() => PodConfigReader.Read(config, ""));

        Assert.Equal(PodFault.InvalidConfig, refused.Fault);
        Assert.Contains(wrong.Field, refused.Message, StringComparison.Ordinal);
    });

    private static readonly (string Field, Action<V1.ContainerConfig> Change)[] s_wrongContainers =
    [
        ("metadata", config => config.Metadata = null),
        ("metadata.name", config => config.Metadata.Name = "../x"),
        ("image", config => config.Image = null),
        ("log_path", config => config.LogPath = "../../escape.log"),
        ("log_path", config => config.LogPath = "/abs.log"),
        ("log_path", config => config.LogPath = new string('x', 300)),
        ("working_dir", config => config.WorkingDir = "relative"),
        ("working_dir", config => config.WorkingDir = new string('/', 5000)),
        ("envs", config => config.Envs.Add(new V1.KeyValue { Key = "A=B" })),
        ("envs", config => config.Envs.Add(new V1.KeyValue { Key = "A", Value = ByteString.CopyFrom(0xff, 0xfe) })),
        ("devices.host_path", config => config.Devices.Add(new V1.Device { HostPath = "sda", ContainerPath = "/dev/sda" })),
        ("devices.host_path", config => config.Devices.Add(new V1.Device { HostPath = "/dev/../etc/passwd", ContainerPath = "/dev/sda" })),
        ("devices.permissions", config => config.Devices.Add(new V1.Device { HostPath = "/dev/fuse", Permissions = "x" })),
        ("CDI_devices", config => config.CDIDevices.Add(new V1.CDIDevice { Name = "vendor/class=device" })),
        ("whole container", config => config.Mounts.Add(new V1.Mount { ContainerPath = "//", HostPath = "/b" })),
        ("recursive_read_only", config => config.Mounts.Add(new V1.Mount { ContainerPath = "/a", HostPath = "/b", RecursiveReadOnly = true })),
        ("recursive_read_only", config => config.Mounts.Add(new V1.Mount
        {
            ContainerPath = "/a", HostPath = "/b", Readonly = true, RecursiveReadOnly = true, Propagation = V1.MountPropagation.PropagationHostToContainer,
        })),
        ("image_sub_path", config => config.Mounts.Add(new V1.Mount { ContainerPath = "/a", Image = new V1.ImageSpec { Image = "i" }, Readonly = true, ImageSubPath = "../x" })),
        ("readonly", config => config.Mounts.Add(new V1.Mount { ContainerPath = "/a", Image = new V1.ImageSpec { Image = "i" } })),
        ("cpu_period", config => config.Linux = Limits(new V1.LinuxContainerResources { CpuPeriod = 1_000_001 })),
        ("cpu_quota", config => config.Linux = Limits(new V1.LinuxContainerResources { CpuQuota = 999 })),
        ("cpu_quota", config => config.Linux = Limits(new V1.LinuxContainerResources { CpuQuota = 3_603_859_881_388_200_696 })),
        ("cpuset_cpus", config => config.Linux = Limits(new V1.LinuxContainerResources { CpusetCpus = "all" })),
        ("unified", config => config.Linux = Limits(new V1.LinuxContainerResources { Unified = { ["../../memory.max"] = "1" } })),
        ("page_size", config => config.Linux = Limits(new V1.LinuxContainerResources { HugepageLimits = { new V1.HugepageLimit { PageSize = "big" } } })),
        ("apparmor", config => config.Linux = Security(new V1.LinuxContainerSecurityContext { Apparmor = Profile(V1.SecurityProfile.Types.ProfileType.Localhost) })),
        ("apparmor_profile", config => config.Linux = Security(Deprecated("localhost/mine"))),
        ("selinux_options.level", config => config.Linux = Security(new V1.LinuxContainerSecurityContext { SelinuxOptions = new V1.SELinuxOption { Level = "s0,c4,c5" } })),
        ("run_as_username", config => config.Linux = Security(new V1.LinuxContainerSecurityContext { RunAsUser = new V1.Int64Value(), RunAsUsername = "web" })),
        ("ipc", config => config.Linux = Security(new V1.LinuxContainerSecurityContext { NamespaceOptions = new V1.NamespaceOption { Ipc = V1.NamespaceMode.Target } })),
        ("network", config => config.Linux = Security(new V1.LinuxContainerSecurityContext { NamespaceOptions = new V1.NamespaceOption { Network = (V1.NamespaceMode)9 } })),
        ("host_path", config => config.Mounts.Add(new V1.Mount { ContainerPath = "/a", HostPath = "b" })),
        ("propagation", config => config.Mounts.Add(new V1.Mount { ContainerPath = "/a", HostPath = "/b", Propagation = V1.MountPropagation.PropagationBidirectional })),
        ("run_as_group", config => config.Linux = Security(new V1.LinuxContainerSecurityContext { RunAsGroup = new V1.Int64Value { Value = 1 } })),
        ("run_as_user", config => config.Linux = Security(new V1.LinuxContainerSecurityContext { RunAsUser = new V1.Int64Value { Value = -1 } })),
        ("target_id", config => config.Linux = Security(new V1.LinuxContainerSecurityContext { NamespaceOptions = new V1.NamespaceOption { Pid = V1.NamespaceMode.Target } })),
    ];

    [Fact]
    public void A_container_config_that_cannot_be_is_refused_by_the_field_that_is_wrong() => Assert.All(s_wrongContainers, wrong =>
    {
        V1.ContainerConfig config = Container();
        wrong.Change(config);

        PodException refused = Assert.Throws<PodException>(() => ContainerConfigReader.Read(config));

        Assert.Equal(PodFault.InvalidConfig, refused.Fault);
        Assert.Contains(wrong.Field, refused.Message, StringComparison.Ordinal);
    });

    [Fact]
    public void Processes_are_shared_by_the_pod_unless_the_caller_says_otherwise()
    {
        V1.ContainerConfig silent = Container();
        V1.ContainerConfig withoutOptions = Container();
        withoutOptions.Linux = Security(new V1.LinuxContainerSecurityContext());

        Assert.Equal(PidNamespace.Pod, ContainerConfigReader.Read(silent).Security.PidNamespace);
        Assert.Equal(PidNamespace.Pod, ContainerConfigReader.Read(withoutOptions).Security.PidNamespace);
    }

    [Fact]
    public void User_and_group_become_one_text()
    {
        V1.ContainerConfig config = Container();
        config.Linux = Security(new V1.LinuxContainerSecurityContext
        {
            RunAsUser = new V1.Int64Value { Value = 1000 },
            RunAsGroup = new V1.Int64Value { Value = 0 },
            NamespaceOptions = new V1.NamespaceOption { Pid = V1.NamespaceMode.Container },
        });

        ContainerSecurity security = ContainerConfigReader.Read(config).Security;

        Assert.Equal("1000:0", security.User);
        Assert.Equal(PidNamespace.Container, security.PidNamespace);
    }

    [Fact]
    public void What_asks_for_no_profile_or_the_usual_one_is_fine()
    {
        V1.LinuxContainerSecurityContext[] fine =
        [
            new() { Apparmor = Profile(V1.SecurityProfile.Types.ProfileType.RuntimeDefault) },
            new() { Apparmor = Profile(V1.SecurityProfile.Types.ProfileType.Unconfined) },
            new() { Apparmor = Profile(V1.SecurityProfile.Types.ProfileType.Localhost), Privileged = true },
            Deprecated("runtime/default"),
            Deprecated("unconfined"),
            new() { SelinuxOptions = new V1.SELinuxOption { Level = "s0:c4,c5", Type = "container_t" } },
            new() { SelinuxOptions = new V1.SELinuxOption { Level = "s0-s1:c0.c1023" } },
        ];

        Assert.All(fine, security => SecurityReader.Read(security));
    }

    [Fact]
    public void A_mount_is_told_as_it_was_asked_for()
    {
        V1.Mount[] mounts =
        [
            new() { ContainerPath = "/a", HostPath = "/b", Propagation = V1.MountPropagation.PropagationHostToContainer },
            new() { ContainerPath = "/a", HostPath = "/b", Readonly = true, RecursiveReadOnly = true, SelinuxRelabel = true },
        ];

        Assert.Equal(mounts, mounts.Select(mount =>
        {
            V1.ContainerConfig config = Container();
            config.Mounts.Add(mount);
            return ContainerWriter.Status(new ContainerRecord
            {
                Id = "id", PodId = "pod", Config = ContainerConfigReader.Read(config), ImageId = "", ImageRef = "", Disks = [], StopSignal = 15, CreatedUnixNanoseconds = 0,
            }).Mounts.Single();
        }));
    }

    [Fact]
    public void Any_limits_are_read_or_refused() =>
        Gen.Select(Gen.Long, Gen.Long, Gen.Long, Gen.String, Gen.String, Gen.String).Sample((period, quota, shares, cpus, name, page) =>
        {
            V1.LinuxContainerResources resources = new()
            {
                CpuPeriod = period, CpuQuota = quota, CpuShares = shares, CpusetCpus = cpus, Unified = { [name] = "1" }, HugepageLimits = { new V1.HugepageLimit { PageSize = page } },
            };
            try
            {
                ResourceLimits limits = ResourceConversion.Read(resources);
                Assert.True(limits is { CpuPeriodMicroseconds: 0 or (>= 1000 and <= 1_000_000), CpuQuotaMicroseconds: 0 or >= 1000, CpuShares: 0 or (>= 2 and <= 262_144) }, limits.ToString());
            }
            catch (PodException refused)
            {
                Assert.Equal(PodFault.InvalidConfig, refused.Fault);
            }
        });

    [Fact]
    public void Every_CRI_signal_is_a_signal_and_comes_back_as_one_of_the_same_number()
    {
        foreach (V1.Signal signal in Enum.GetValues<V1.Signal>().Where(signal => signal != V1.Signal.RuntimeDefault))
        {
            int number = SignalConversion.Read(signal);

            Assert.InRange(number, 1, 64);
            Assert.Equal(number, SignalConversion.Read(SignalConversion.Write(number)));
        }

        Assert.Equal((9, 15, 34, 37, 64), (
            SignalConversion.Read(V1.Signal.Sigkill), SignalConversion.Read(V1.Signal.Sigterm), SignalConversion.Read(V1.Signal.Sigrtmin),
            SignalConversion.Read(V1.Signal.Sigrtminplus3), SignalConversion.Read(V1.Signal.Sigrtmax)));
    }

    [Fact]
    public void A_filter_lets_pass_what_matches_in_all_its_parts()
    {
        var item = new V1.PodSandbox { Id = "abc", State = V1.PodSandboxState.SandboxReady, Labels = { ["app"] = "web" } };

        Assert.True(Filters.Matches(null, item));
        Assert.True(Filters.Matches(new V1.PodSandboxFilter { Id = "ab" }, item));
        Assert.False(Filters.Matches(new V1.PodSandboxFilter { Id = "b" }, item));
        Assert.False(Filters.Matches(new V1.PodSandboxFilter { State = new V1.PodSandboxStateValue { State = V1.PodSandboxState.SandboxNotready } }, item));
        Assert.True(Filters.Matches(new V1.PodSandboxFilter { LabelSelector = { ["app"] = "web" } }, item));
        Assert.False(Filters.Matches(new V1.PodSandboxFilter { LabelSelector = { ["app"] = "db" } }, item));
        Assert.False(Filters.Matches(new V1.PodSandboxFilter { LabelSelector = { ["tier"] = "" } }, item));
    }

    [Fact]
    public void Credentials_are_read_from_either_form() =>
        Gen.Select(Gen.String[Gen.Char['a', 'z'], 1, 9], Gen.String[Gen.Char['!', '~'], 0, 9]).Sample((user, password) =>
        {
            string auth = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}"));

            Assert.Equal((user, password), Of(new V1.AuthConfig { Auth = auth }));
            Assert.Equal((user, password), Of(new V1.AuthConfig { Username = user, Password = password }));

            static (string, string) Of(V1.AuthConfig auth) => ImageConversion.Credentials(auth) is { } read ? (read.Username, read.Password) : ("", "");
        });

    [Fact]
    public void No_credentials_are_none_and_rubbish_is_refused()
    {
        Assert.Null(ImageConversion.Credentials(null));
        Assert.Null(ImageConversion.Credentials(new V1.AuthConfig { ServerAddress = "x" }));
        Assert.Equal(ImageFault.InvalidCredentials, Assert.Throws<ImageException>(() => ImageConversion.Credentials(new V1.AuthConfig { Auth = "%%" })).Fault);
    }

    [Fact]
    public void Every_fault_has_a_code_that_is_not_Unknown_and_a_callers_mistake_is_never_Internal()
    {
        Assert.DoesNotContain(StatusCode.Unknown, Enum.GetValues<PodFault>().Select(CriStatus.Code));
        Assert.DoesNotContain(StatusCode.Unknown, Enum.GetValues<ImageFault>().Select(CriStatus.Code));
        Assert.DoesNotContain(StatusCode.Unknown, Enum.GetValues<MachineFault>().Select(CriStatus.Code));
        Assert.DoesNotContain(StatusCode.Unknown, Enum.GetValues<GuestFault>().Select(CriStatus.Code));
        Assert.DoesNotContain(StatusCode.Unknown, Enum.GetValues<NetworkFault>().Select(CriStatus.Code));
        Assert.Equal([PodFault.HostFailed], Enum.GetValues<PodFault>().Where(fault => CriStatus.Code(fault) == StatusCode.Internal));
        Assert.Equal([ImageFault.ToolFailed], Enum.GetValues<ImageFault>().Where(fault => CriStatus.Code(fault) == StatusCode.Internal));
    }

    private static V1.PodSandboxConfig Pod() => new()
    {
        Metadata = new V1.PodSandboxMetadata { Name = "web", Namespace = "default", Uid = "uid-1", Attempt = 2 },
        LogDirectory = "/var/log/pods/web",
    };

    private static V1.ContainerConfig Container() => new()
    {
        Metadata = new V1.ContainerMetadata { Name = "main" },
        Image = new V1.ImageSpec { Image = "demo" },
    };

    private static V1.LinuxPodSandboxConfig Security(V1.NamespaceOption options) =>
        new() { SecurityContext = new V1.LinuxSandboxSecurityContext { NamespaceOptions = options } };

    private static V1.LinuxContainerConfig Limits(V1.LinuxContainerResources resources) => new() { Resources = resources };

    private static V1.SecurityProfile Profile(V1.SecurityProfile.Types.ProfileType type) => new() { ProfileType = type, LocalhostRef = "mine" };

    private static V1.LinuxContainerSecurityContext Deprecated(string profile)
    {
#pragma warning disable CS0612 // deprecated in CRI, still sent
        return new V1.LinuxContainerSecurityContext { ApparmorProfile = profile };
#pragma warning restore CS0612
    }

    private static V1.LinuxContainerConfig Security(V1.LinuxContainerSecurityContext security) => new() { SecurityContext = security };
}
