using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Vks.Agent.Channel;
using Vks.Agent.Containers;
using Vks.Agent.Host;
using Vks.Agent.Network;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Boot;

/// <summary>Goes once through what every pod needs, for a guest that others will start from: what it reads, makes and compiles is then in their memory.</summary>
/// <remarks>It must leave nothing of a pod behind, and use no randomness that would then be the same in every clone.</remarks>
internal sealed class WarmUp(ContainerTable containers, Crun crun, TimeProvider time)
{
    private const string CrunLog = "/run/warmup.log";

    /// <summary>A sleep of this many milliseconds may end so much later, on a host that leaves the guest alone for once in so many tries.</summary>
    private const int SleepMilliseconds = 100, LateMilliseconds = 5, SleepTries = 20;

    private static readonly string _id = new('0', 64);

    /// <summary>Time from the kernel's start after which it does nothing more of it: it measures its counter for a second, and then stops all CPUs to change the clock.</summary>
    private static readonly TimeSpan _kernelSettled = TimeSpan.FromSeconds(2.5);

    /// <summary>Runs it.</summary>
    internal async Task RunAsync()
    {
        _ = await Usage.ReadAsync([]);
        await containers.PrepareAsync();
        ReadAndWriteMessages();
        Interfaces.Look();
        await crun.RunAsync(CrunLog, ["--version"], "Running crun once");

        await CheckTimerAsync();

        // What was written goes to the disk here and not once more in each clone.
        Libc.Sync();

        // A delay starts the timer's thread, which stays.
        TimeSpan left = _kernelSettled - TimeSpan.FromTicks(Clock.BootNanoseconds() / TimeSpan.NanosecondsPerTick);
        await Task.Delay(left > TimeSpan.Zero ? left : TimeSpan.FromMilliseconds(1), time);
    }

    /// <summary>
    /// The kernel measures the timer of its APIC while it boots, against ticks that a busy host swallows. What comes of that is in every clone, so a guest
    /// whose sleeps end late is no template.
    /// </summary>
    /// <exception cref="AgentException">Failed: no sleep ended in time.</exception>
    private async Task CheckTimerAsync()
    {
        long best = long.MaxValue;
        for (int tries = 0; tries < SleepTries; tries++)
        {
            long begin = Clock.BootNanoseconds();
            await Task.Delay(TimeSpan.FromMilliseconds(SleepMilliseconds), time);
            best = Math.Min(best, (Clock.BootNanoseconds() - begin) / 1_000_000);
            if (best <= SleepMilliseconds + LateMilliseconds)
            {
                return;
            }
        }

        throw new AgentException(
            GuestFault.Failed, $"This guest's timer goes wrong: of {SleepTries} sleeps of {SleepMilliseconds} ms the shortest lasted {best} ms. Boot it again, on a host with less to do.");
    }

    /// <summary>The first text of a type is most of the work: its description is made then.</summary>
    private static void ReadAndWriteMessages()
    {
        Read(GuestMethods.Configure, GuestJson.Default.GuestPersonality, Personality());
        ContainerSpec spec = Container();
        Read(GuestMethods.CreateContainer, GuestJson.Default.ContainerSpec, spec);
        Read(GuestMethods.StartContainer, GuestJson.Default.ContainerReference, new ContainerReference(_id));
        Read(GuestMethods.ContainerOutput, GuestJson.Default.OutputRequest, new OutputRequest(_id, 0, 0));
        Read(GuestMethods.Exec, GuestJson.Default.ExecSpec, new ExecSpec { ContainerId = _id, ExecId = _id, Args = ["true"], TimeoutMilliseconds = 1000 });
        Write(GuestJson.Default.Empty, new Empty());
        ResolvedUser user = UserResolver.Resolve("0:0", false, [1], false, "root:x:0:0:root:/root:/bin/sh\n", "root:x:0:\nusers:x:1:root\n");
        Write(GuestJson.Default.ContainerMade, new ContainerMade(user.Uid, user.Gid, user.Groups));
        Write(GuestJson.Default.ContainerStarted, new ContainerStarted(1, 0));
        Write(GuestJson.Default.ExecResult, new ExecResult(0));
        Write(GuestJson.Default.OutputResult, new OutputResult(0, 0));
        Write(GuestJson.Default.ContainerReport, new ContainerReport(_id, GuestContainerState.Exited, 0, 0, 0, 0, false));
        Write(GuestJson.Default.GuestEvent, new GuestEvent(GuestEventKind.ContainerExited, _id));
        var facts = new BundleFacts(user, [("/run/hosts", "/etc/hosts")], ["/run/source"], null, "/vks/" + _id) { Hardware = GuestHardware.This };
        OciConfig config = OciConfigWriter.Write(spec, facts);
        Write(OciJson.Default.OciConfig, config);
        _ = EntryArguments.Of(config.Process, 0, 0, "", "");
    }

    private static GuestPersonality Personality() => new()
    {
        Hostname = "template",
        WallClockUnixNanoseconds = Clock.UnixNanoseconds(),
        Entropy = [],
        MachineId = "",
        Interfaces = [new GuestInterface("eth0", "", 0, ["192.0.2.1/24"])],
        Routes = [new GuestRoute("0.0.0.0/0", "192.0.2.2", "eth0")],
        Hosts = "",
        ResolvConf = "",
    };

    private static ContainerSpec Container() => new()
    {
        ContainerId = _id,
        ImageDisk = "disk",
        Process = new ProcessSpec
        {
            Args = ["sh"],
            Env = ["PATH=/bin"],
            User = "0",
            SupplementalGroups = [1],
            Capabilities = ["CAP_CHOWN"],
            Rlimits = [new ResourceLimit("RLIMIT_NOFILE", 1024, 1024)],
        },
        Mounts = [new MountSpec { Kind = MountSource.Share, Source = "1", Destination = "/mnt", Options = ["ro"] }],
        MaskedPaths = ["/proc/kcore"],
        ReadOnlyPaths = ["/proc/sys"],
        Annotations = new Dictionary<string, string>(StringComparer.Ordinal) { ["a"] = "b" },
        SeccompJson = """{"defaultAction":"SCMP_ACT_ALLOW"}""",
        Resources = new ResourceLimits { CpuShares = 2, MemoryBytes = 1 << 20, PidsLimit = 1 },
    };

    /// <summary>As the channel reads a request: as a member of another text.</summary>
    private static void Read<T>(string method, JsonTypeInfo<T> type, T message)
    {
        using JsonDocument text = JsonDocument.Parse(JsonSerializer.SerializeToUtf8Bytes(message, type));
        _ = MethodTable.Read(method, text.RootElement, type);
    }

    private static void Write<T>(JsonTypeInfo<T> type, T message) => _ = JsonSerializer.SerializeToUtf8Bytes(message, type);
}
