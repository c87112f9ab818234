using System.Text.Json;
using Vks.Agent.Containers;

namespace Vks.Tests.Images;

/// <summary>What the guest's small program <c>enter</c> is told, and what is left to crun.</summary>
public sealed class AgentEntryTests
{
    [Fact]
    public void Enter_is_told_all_that_the_process_of_an_exec_has()
    {
        OciProcess process = Process() with { NoNewPrivileges = true, OomScoreAdj = -7, Rlimits = [new OciRlimit("RLIMIT_NOFILE", 4096, 1024), new OciRlimit("RLIMIT_CPU", 9, 8)] };

        IReadOnlyList<string>? arguments = EntryArguments.Of(process, report: 30, container: 31, "/sys/fs/cgroup/vks/a/exec-1", "/run/crun/a/seccomp.bpf");

        Assert.Equal(
            ["enter", "30", "31", "/sys/fs/cgroup/vks/a/exec-1", "1000", "100", "5,6", "10000000001", "21", "20", "0", "1", "1", "-7", "/run/crun/a/seccomp.bpf", "/work", "7:1024:4096,0:8:9", "sh", "-c", "true"],
            arguments);
    }

    [Fact]
    public void Capabilities_stand_at_their_numbers()
    {
        // linux/capability.h: CAP_CHOWN 0, CAP_SYS_ADMIN 21, CAP_SETFCAP 31, CAP_CHECKPOINT_RESTORE 40.
        Assert.Equal([0, 21, 31, 40], new[] { "CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_SETFCAP", "CAP_CHECKPOINT_RESTORE" }.Select(name => Array.IndexOf(OciConfigWriter.AllCapabilities, name)));
    }

    [Fact]
    public void What_enter_cannot_say_is_left_to_crun()
    {
        Assert.Null(EntryArguments.Of(Process() with { Terminal = true }, 3, 4, "/c", ""));
        Assert.Null(EntryArguments.Of(Process() with { Rlimits = [new OciRlimit("RLIMIT_NEW", 1, 1)] }, 3, 4, "/c", ""));
    }

    [Theory]
    [InlineData(null, true, "")]
    [InlineData("""{"defaultAction":"SCMP_ACT_ALLOW"}""", true, "/run/crun/a/seccomp.bpf")]
    [InlineData("""{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_LOG"]}""", false, "/run/crun/a/seccomp.bpf")]
    [InlineData("""{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/run/l"}""", false, "/run/crun/a/seccomp.bpf")]
    public void A_filter_with_options_is_left_to_crun(string? profile, bool bySmallProgram, string file)
    {
        ContainerEntrance entrance = ContainerEntrance.Of(Config(new OciLinux
        {
            Namespaces = [], CgroupsPath = "/c", Resources = new OciResources(), Seccomp = profile is null ? null : JsonElement.Parse(profile),
        }), "a");

        Assert.Equal(new ContainerEntrance(bySmallProgram, file), entrance);
    }

    [Fact]
    public void A_container_in_a_user_namespace_is_left_to_crun()
    {
        OciLinux linux = new() { Namespaces = [], CgroupsPath = "/c", Resources = new OciResources(), UidMappings = [new OciIdMapping(0, 100000, 65536)] };

        Assert.False(ContainerEntrance.Of(Config(linux), "a").BySmallProgram);
    }

    private static OciConfig Config(OciLinux linux) => new() { Process = Process(), Root = new OciRoot("rootfs", false), Mounts = [], Linux = linux };

    private static OciProcess Process() => new()
    {
        User = new OciUser(1000, 100, [5, 6]),
        Args = ["sh", "-c", "true"],
        Env = ["PATH=/bin"],
        Cwd = "/work",
        Capabilities = new OciCapabilities(
            ["CAP_CHOWN", "CAP_CHECKPOINT_RESTORE"], ["CAP_KILL"], ["CAP_CHOWN", "CAP_KILL"], [], ["CAP_CHOWN", "CAP_NONSENSE"]),
    };
}
