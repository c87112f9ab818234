using System.Text.Json;
using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Images;
using Vks.Spherelet.Pods;

namespace Vks.Tests.Spherelet;

/// <summary>How a container's config and its image come together.</summary>
public sealed class PodsContainerPlanTests
{
    private static readonly ContainerImage s_image = new()
    {
        ImageId = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ImageRef = "registry/demo@sha256:1",
        DiskPath = "/images/disk",
        Config = new ImageRunConfig
        {
            Entrypoint = ["/entry"],
            Cmd = ["image-arg"],
            Env = ["PATH=/bin", "LANG=C"],
            WorkingDir = "/srv",
            User = "web",
            StopSignal = "SIGQUIT",
        },
    };

    private static readonly PodConfig s_pod = new() { Name = new PodName("web", "default", "uid", 0), Hostname = "web-0", Privileged = true };

    private static readonly ContainerConfig s_config = new() { Name = "web", Image = "demo" };

    [Theory]
    [InlineData("", "", "/entry image-arg")]
    [InlineData("/mine", "", "/mine")]
    [InlineData("", "arg", "/entry arg")]
    [InlineData("/mine", "arg", "/mine arg")]
    public void Command_replaces_the_entrypoint_and_drops_the_images_arguments(string command, string args, string expected)
    {
        ContainerSpec spec = Plan(s_config with { Command = Words(command), Args = Words(args) });

        Assert.Equal(expected, string.Join(' ', spec.Process.Args));
    }

    [Fact]
    public void Without_anything_to_run_the_container_is_refused()
    {
        ContainerImage empty = s_image with { Config = new ImageRunConfig() };

        Assert.Equal(PodFault.InvalidConfig, Assert.Throws<PodException>(() => ContainerPlan.ToSpec("id", s_pod, s_config, empty, [], null)).Fault);
    }

    [Fact]
    public void The_containers_variables_win_over_the_images_and_each_name_is_there_once()
    {
        ContainerSpec spec = Plan(s_config with { Env = ["LANG=de", "NEW=1", "NEW=2", "EMPTY="] });

        Assert.Equal(["HOSTNAME=web-0", "PATH=/bin", "LANG=de", "NEW=2", "EMPTY="], spec.Process.Env);
    }

    [Fact]
    public void User_directory_and_disk_come_from_the_image_unless_the_container_says_otherwise()
    {
        ContainerSpec image = Plan(s_config);
        ContainerSpec own = Plan(s_config with { WorkingDirectory = "/tmp", Security = new ContainerSecurity { User = "7:8" } });

        Assert.Equal(("web", "/srv", "0123456789abcdef0123"), (image.Process.User, image.Process.WorkingDirectory, image.ImageDisk));
        Assert.Equal(("7:8", "/tmp"), (own.Process.User, own.Process.WorkingDirectory));
    }

    [Theory]
    [InlineData(0, "SIGQUIT", 3)]
    [InlineData(9, "SIGQUIT", 9)]
    [InlineData(0, "", 15)]
    [InlineData(0, "10", 10)]
    [InlineData(0, "SIGRTMIN+3", 37)]
    [InlineData(0, "nonsense", 15)]
    public void The_stop_signal_is_the_containers_else_the_images_else_SIGTERM(int own, string image, int expected) =>
        Assert.Equal(expected, ContainerPlan.StopSignal(s_config with { StopSignal = own }, new ImageRunConfig { StopSignal = image }));

    [Fact]
    public void Capabilities_are_dropped_before_they_are_added()
    {
        Assert.Equal(["CAP_NET_ADMIN"], Capabilities.Compute(["net_admin"], ["ALL"], privileged: false));
        Assert.Equal(Capabilities.All.Order(), Capabilities.Compute(["ALL"], [], privileged: false).Order());
        Assert.DoesNotContain("CAP_KILL", Capabilities.Compute([], ["KILL"], privileged: false));
        Assert.Equal(Capabilities.All, Capabilities.Compute([], ["ALL"], privileged: true));
        Assert.Equal(PodFault.InvalidConfig, Assert.Throws<PodException>(() => Capabilities.Compute(["FLY"], [], privileged: false)).Fault);
    }

    [Fact]
    public void A_privileged_container_has_nothing_hidden_and_no_profile()
    {
        ContainerSpec spec = Plan(s_config with { Security = new ContainerSecurity { Privileged = true, Seccomp = SeccompChoice.RuntimeDefault } });

        Assert.Null(spec.SeccompJson);
        Assert.Empty(spec.MaskedPaths);
        Assert.Empty(spec.ReadOnlyPaths);
    }

    [Fact]
    public void The_default_profile_keeps_mounting_from_those_without_the_capability_alone()
    {
        ContainerSpec plain = Plan(s_config with { Security = new ContainerSecurity { Seccomp = SeccompChoice.RuntimeDefault } });
        ContainerSpec admin = Plan(s_config with
        {
            Security = new ContainerSecurity { Seccomp = SeccompChoice.RuntimeDefault, AddCapabilities = ["SYS_ADMIN"] },
        });

        Assert.Contains("mount", Refused(plain));
        Assert.Contains("clone3", Refused(plain));
        Assert.DoesNotContain("mount", Refused(admin));
        Assert.Contains("keyctl", Refused(admin));
    }

    [Fact]
    public void A_privileged_container_needs_a_privileged_pod()
    {
        ContainerConfig privileged = s_config with { Security = new ContainerSecurity { Privileged = true } };

        PodException refused = Assert.Throws<PodException>(() => ContainerPlan.ToSpec("id", s_pod with { Privileged = false }, privileged, s_image, [], null));

        Assert.Equal(PodFault.InvalidConfig, refused.Fault);
    }

    [Fact]
    public void Ulimits_of_the_container_win_over_those_of_the_pod_and_those_over_the_usual_ones()
    {
        Dictionary<string, string> pod = new() { [Ulimits.Annotation] = "nofile=10:20, core=0" };
        Dictionary<string, string> container = new() { [Ulimits.Annotation] = "nofile=30,memlock=unlimited" };

        Dictionary<string, (ulong, ulong)> limits = Ulimits.Of(container, pod).ToDictionary(limit => limit.Type, limit => (limit.Soft, limit.Hard));

        Assert.Equal((30ul, 30ul), limits["RLIMIT_NOFILE"]);
        Assert.Equal((0ul, 0ul), limits["RLIMIT_CORE"]);
        Assert.Equal((ulong.MaxValue, ulong.MaxValue), limits["RLIMIT_MEMLOCK"]);
        Assert.Equal((ulong.MaxValue, ulong.MaxValue), limits["RLIMIT_NPROC"]);
        Assert.All((string[])["nofile", "nofile=x", "nofile=2:1", "files=1", "=1", "nofile=1:2:3"], wrong =>
            Assert.Equal(PodFault.InvalidConfig, Assert.Throws<PodException>(() => Ulimits.Parse(wrong)).Fault));
    }

    [Fact]
    public void Only_what_is_read_only_itself_alone_names_the_mounts_below_it()
    {
        ContainerMount mount = new() { ContainerPath = "/mnt/", HostPath = "/host", ReadOnly = true };

        IEnumerable<(string, string, string)> Told(ContainerMount one) =>
            PodShare.Specs(one, "c/0", ["b", "a/x", "b"]).Select(spec => (spec.Source, spec.Destination, string.Join(',', spec.Options)));

        Assert.Equal([("c/0", "/mnt/", "rbind,ro"), ("c/0/a/x", "/mnt/a/x", "rbind,rw"), ("c/0/b", "/mnt/b", "rbind,rw")], Told(mount));
        Assert.Equal([("c/0", "/mnt/", "rbind,ro")], Told(mount with { RecursiveReadOnly = true }));
        Assert.Equal([("c/0", "/mnt/", "rbind,rw")], Told(mount with { ReadOnly = false }));
    }

    private static HashSet<string> Refused(ContainerSpec spec)
    {
        using JsonDocument profile = JsonDocument.Parse(spec.SeccompJson!);
        Assert.Equal("SCMP_ACT_ALLOW", profile.RootElement.GetProperty("defaultAction").GetString());
        return [.. profile.RootElement.GetProperty("syscalls").EnumerateArray().SelectMany(rule => rule.GetProperty("names").EnumerateArray()).Select(name => name.GetString()!)];
    }

    private static ContainerSpec Plan(ContainerConfig config) => ContainerPlan.ToSpec("id", s_pod, config, s_image, [], null);

    private static string[] Words(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
