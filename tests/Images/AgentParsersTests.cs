using System.Text;
using CsCheck;
using Vks.Agent.Boot;
using Vks.Agent.Channel;
using Vks.Agent.Containers;
using Vks.Agent.Disks;
using Vks.Agent.Personality;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Tests.Images;

/// <summary>What the agent reads from the kernel, from crun and from the host.</summary>
public sealed class AgentParsersTests
{
    [Theory]
    [InlineData("", false)]
    [InlineData("console=hvc0 quiet vks.log=debug\n", true)]
    [InlineData("vks.log=debug", true)]
    [InlineData("vks.log=debugging xvks.log=debug vks.later=1", false)]
    public void The_kernel_command_line_is_read_by_words(string line, bool verbose) => Assert.Equal(verbose, KernelCommandLine.Parse(line).Verbose);

    [Fact]
    public void A_serial_is_the_page_without_its_padding()
    {
        Assert.Equal("demo", BlockDevices.ParseSerial([0, 0x80, 0, 4, .. "demo"u8]));
        Assert.Equal("demo", BlockDevices.ParseSerial([0, 0x80, 0, 8, .. "  demo\0\0"u8]));
        Assert.Equal("de", BlockDevices.ParseSerial([0, 0x80, 0, 2, .. "demo"u8]));
        Assert.Equal("demo", BlockDevices.ParseSerial([0, 0x80, 0, 255, .. "demo"u8]));
        Assert.Null(BlockDevices.ParseSerial([0, 0x83, 0, 4, .. "demo"u8]));
        Assert.Null(BlockDevices.ParseSerial([]));
    }

    [Fact]
    public void Any_page_gives_at_most_what_it_holds() =>
        Gen.Byte.Array[0, 40].Sample(page => Assert.InRange(BlockDevices.ParseSerial(page)?.Length ?? 0, 0, Math.Max(0, page.Length - 4)));

    [Theory]
    [InlineData("net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward")]
    [InlineData("net/ipv4/ip_forward", "/proc/sys/net/ipv4/ip_forward")]
    [InlineData("net.ipv4.conf.eth0/1.rp_filter", "/proc/sys/net/ipv4/conf/eth0.1/rp_filter")]
    [InlineData("net/ipv4/conf/eth0.1/rp_filter", "/proc/sys/net/ipv4/conf/eth0.1/rp_filter")]
    public void A_parameter_has_this_file(string name, string path) => Assert.Equal(path, Sysctls.PathOf(name));

    [Theory]
    [InlineData("")]
    [InlineData("..")]
    [InlineData("/etc/passwd")]
    [InlineData("net/../../etc/passwd")]
    [InlineData("net.//./x")]
    [InlineData("net..ipv4")]
    [InlineData("kernel/")]
    public void What_is_no_parameter_is_refused(string name) =>
        Assert.Equal(GuestFault.InvalidRequest, Assert.Throws<AgentException>(() => Sysctls.PathOf(name)).Fault);

    [Fact]
    public void No_name_leads_out_of_proc_sys() =>
        Gen.Char["./a- "].Array[0, 12].Sample(letters =>
        {
            try
            {
                string path = Sysctls.PathOf(new string(letters));
                Assert.StartsWith("/proc/sys/", Path.GetFullPath(path), StringComparison.Ordinal);
                Assert.Equal(path, Path.GetFullPath(path));
            }
            catch (AgentException refusal)
            {
                Assert.Equal(GuestFault.InvalidRequest, refusal.Fault);
            }
        });

    [Fact]
    public void Interfaces_have_the_counters_of_their_columns()
    {
        const string Text = """
            Inter-|   Receive                                                |  Transmit
             face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
                lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
              eth0: 1234567      20    3    4    5     6          7         8  7654321      30    9   10    0     0       0          0
              br.1:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
            """;

        Assert.Equal(
            [
                new InterfaceCounters("eth0", new TrafficCounters(1234567, 20, 3, 4), new TrafficCounters(7654321, 30, 9, 10)),
                new InterfaceCounters("br.1", new TrafficCounters(1, 2, 3, 4), new TrafficCounters(9, 10, 11, 12)),
            ],
            Usage.ParseInterfaces(Text));
        Assert.Empty(Usage.ParseInterfaces(""));
    }

    [Fact]
    public void Any_counters_come_back() =>
        Gen.Long[0, long.MaxValue].Array[16].Sample(columns =>
        {
            List<InterfaceCounters> parsed = Usage.ParseInterfaces(new StringBuilder("eth0:").AppendJoin(' ', columns).Append('\n').ToString());

            Assert.Equal(
                [new InterfaceCounters(
                    "eth0", new TrafficCounters(columns[0], columns[1], columns[2], columns[3]), new TrafficCounters(columns[8], columns[9], columns[10], columns[11]))],
                parsed);
        });

    [Theory]
    [InlineData("executable file `nope` not found in $PATH: No such file or directory", GuestFault.CannotExecute)]
    [InlineData("open executable: Permission denied", GuestFault.CannotExecute)]
    [InlineData("exec /x: Exec format error", GuestFault.CannotExecute)]
    [InlineData("write /run/x: No space left on device", GuestFault.ResourceExhausted)]
    [InlineData("clone: Cannot allocate memory", GuestFault.ResourceExhausted)]
    [InlineData("mount `/run/vks/share/c/0` to `etc/passwd`: Not a directory", GuestFault.InvalidRequest)]
    [InlineData("open `/x`: File name too long", GuestFault.InvalidRequest)]
    [InlineData("failed open()ing /dev/null: No such file or directory", GuestFault.InvalidRequest)]
    [InlineData("writing file `cpu.max`: Invalid argument", GuestFault.InvalidRequest)]
    [InlineData("OOM: the memory limit could be too low: write to sync socket: Broken pipe", GuestFault.InvalidRequest)]
    [InlineData("mount `proc`: Operation not permitted", GuestFault.Failed)]
    [InlineData("", GuestFault.Failed)]
    public void The_words_of_crun_mean_a_fault(string words, GuestFault fault) => Assert.Equal(fault, Crun.Classify(words));

    [Fact]
    public void A_number_of_a_cgroup_file_is_found_by_its_whole_name()
    {
        const string Events = "low 0\noom_kill 3\noom_kill_group 9\noom 5\nbad x\n";

        Assert.Equal(3, ContainerCgroup.ValueIn(Events, "oom_kill"));
        Assert.Equal(5, ContainerCgroup.ValueIn(Events, "oom"));
        Assert.Equal(0, ContainerCgroup.ValueIn(Events, "bad"));
        Assert.Equal(0, ContainerCgroup.ValueIn(Events, "high"));
    }
}
