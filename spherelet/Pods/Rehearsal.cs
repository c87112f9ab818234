using System.Globalization;
using System.IO.Pipelines;
using System.Security.Cryptography;
using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Machines;
using Vks.Spherelet.Images;
using Vks.Spherelet.Network;

namespace Vks.Spherelet.Pods;

/// <summary>Lets a machine that is nobody's yet go once through a pod's whole life, by the very calls that a pod makes.</summary>
/// <remarks>
/// What runs for the first time is slow: the guest's kernel reads and makes things, the agent's types are set up, and under TCG each QEMU has to translate
/// it. A template keeps the first two for all its clones; a machine of the pool, which rehearses once more, has the third behind it too. Nothing of
/// the rehearsal is left: its containers are deleted, its disk is unplugged, its network is taken back. The scratch disk stays mounted.
/// </remarks>
internal sealed partial class Rehearsal(PodShare share, PoolOptions options, TimeProvider time, ILogger<Rehearsal> logger) : ITemplateRehearsal
{
    /// <summary>Raised when the rehearsal changes.</summary>
    private const int Version = 1;

    private const string Serial = "rehearsal";

    private static readonly PodConfig s_pod = new() { Name = new PodName("rehearsal", "vks", "", 0), Hostname = "rehearsal" };

    private static readonly ContainerImage s_image = new()
    {
        ImageId = "sha256:" + Serial.PadRight(64, '0'),
        ImageRef = "",
        DiskPath = "",
        Config = new ImageRunConfig(),
    };

    /// <inheritdoc/>
    public string Fingerprint
    {
        get
        {
            var disk = new FileInfo(options.RehearsalDisk);
            return disk.Exists ? string.Create(CultureInfo.InvariantCulture, $"{Version} {disk.Length} {disk.LastWriteTimeUtc.Ticks}") : "";
        }
    }

    /// <summary>Rehearses in a machine of the pool.</summary>
    /// <param name="id">The pod's id to be.</param>
    /// <param name="machine">A spare machine whose agent answers.</param>
    /// <param name="cancellationToken">Gives it up; the machine is then to be ended.</param>
    /// <exception cref="GuestException">The guest cannot do what every pod asks of it.</exception>
    /// <exception cref="MachineException">The machine is gone, or the disk could not be plugged in or out.</exception>
    public Task RunAsync(string id, Machine machine, CancellationToken cancellationToken)
    {
        MachineSpec spec = machine.Spec;
        bool hasShare = spec.SharedDirectory is not null;
        return RunAsync(
            new Stage(machine.Guest, spec.Network is not null, spec.ScratchMiB > 0, hasShare, machine.AttachDiskAsync, machine.DetachDiskAsync)
            {
                BindAsync = async (container, config, token) => hasShare
                    ? [.. (await share.BindAsync(id, container, config.Mounts, machine.Current.QemuPid, token)).SelectMany(static mount => mount)]
                    : [],
                ReleaseAsync = (container, token) => share.ReleaseContainerAsync(id, container, machine.Current.QemuPid, token),
            },
            cancellationToken);
    }

    /// <summary>Rehearses in a guest that becomes a template: without a host path, since a guest with a shared folder mounted cannot be saved.</summary>
    /// <exception cref="GuestException">The guest cannot do what every pod asks of it.</exception>
    /// <exception cref="MachineException">The disk could not be plugged in or out.</exception>
    public Task RunAsync(TemplateGuest guest, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(guest);
        return RunAsync(
            new Stage(guest.Guest, guest.Shape.HasNetwork, guest.Shape.ScratchMiB > 0, HasShare: false, guest.AttachDiskAsync, guest.DetachDiskAsync), cancellationToken);
    }

    private async Task RunAsync(Stage stage, CancellationToken cancellationToken)
    {
        await stage.Guest.CallAsync(GuestMethods.Configure, Personality(stage), GuestJson.Default.GuestPersonality, GuestJson.Default.Empty, cancellationToken);
        if (!File.Exists(options.RehearsalDisk))
        {
            DiskMissing(options.RehearsalDisk);
            return;
        }

        string serial = ContainerPlan.DiskSerial(s_image.ImageId);
        await stage.PlugAsync(new DiskAttachment(serial, options.RehearsalDisk, ReadOnly: true), cancellationToken);
        await RunContainerAsync(stage, PidNamespace.Pod, cancellationToken);
        await RunContainerAsync(stage, PidNamespace.Container, cancellationToken);
        await stage.UnplugAsync(serial, cancellationToken);
    }

    /// <summary>A container from its making to its end, with a host path in it where there is a share, and a command run in it.</summary>
    private async Task RunContainerAsync(Stage stage, PidNamespace pids, CancellationToken cancellationToken)
    {
        GuestClient guest = stage.Guest;
        var container = new ContainerReference(PodId.New());
        var config = new ContainerConfig
        {
            Name = "rehearsal",
            Image = Serial,
            Command = ["/program"],
            Mounts = [new ContainerMount { ContainerPath = "/mnt/host", HostPath = Path.GetDirectoryName(options.RehearsalDisk)!, ReadOnly = true }],
            Security = new ContainerSecurity { PidNamespace = pids, Seccomp = pids == PidNamespace.Pod ? SeccompChoice.RuntimeDefault : SeccompChoice.Unconfined },
        };
        IReadOnlyList<MountSpec> mounts = await stage.BindAsync(container.ContainerId, config, cancellationToken);
        ContainerSpec spec = ContainerPlan.ToSpec(container.ContainerId, s_pod, config, s_image, mounts, seccompJson: null);
        await guest.CallAsync(GuestMethods.CreateContainer, spec, GuestJson.Default.ContainerSpec, GuestJson.Default.ContainerMade, cancellationToken);
        await guest.CallAsync(GuestMethods.StartContainer, container, GuestJson.Default.ContainerReference, GuestJson.Default.ContainerStarted, cancellationToken);
        await using GuestCall<OutputResult> output = await guest.OpenAsync(
            GuestMethods.ContainerOutput, new OutputRequest(container.ContainerId, 0, 0), GuestJson.Default.OutputRequest, GuestJson.Default.OutputResult, cancellationToken);
        await ExecAsync(guest, container.ContainerId, cancellationToken);
        await guest.CallAsync(
            GuestMethods.SignalContainer, new SignalRequest(container.ContainerId, Signals.Kill, All: true), GuestJson.Default.SignalRequest, GuestJson.Default.Empty, cancellationToken);
        await guest.CallAsync(GuestMethods.WaitContainer, container, GuestJson.Default.ContainerReference, GuestJson.Default.ContainerReport, cancellationToken);
        await guest.CallAsync(GuestMethods.DeleteContainer, container, GuestJson.Default.ContainerReference, GuestJson.Default.Empty, cancellationToken);
        await stage.ReleaseAsync(container.ContainerId, cancellationToken);
    }

    private static async Task ExecAsync(GuestClient guest, string containerId, CancellationToken cancellationToken)
    {
        var command = new ExecSpec { ContainerId = containerId, ExecId = PodId.New(), Args = ["/program", "end"] };
        await using GuestCall<ExecResult> exec = await guest.OpenAsync(
            GuestMethods.Exec, command, GuestJson.Default.ExecSpec, GuestJson.Default.ExecResult, cancellationToken);
        await Task.WhenAll(DrainAsync(exec.Output, cancellationToken), DrainAsync(exec.Error, cancellationToken));
        ExecResult result = await exec.Completion;
        if (result.ExitCode != 0)
        {
            throw new GuestException(GuestFault.Failed, $"'{string.Join(' ', command.Args)}' of the rehearsal ended with {result.ExitCode}.");
        }
    }

    private static async Task DrainAsync(PipeReader reader, CancellationToken cancellationToken)
    {
        ReadResult read;
        do
        {
            read = await reader.ReadAsync(cancellationToken);
            reader.AdvanceTo(read.Buffer.End);
        }
        while (!read.IsCompleted);
    }

    /// <summary>Addresses for documentation (RFC 5737): they belong to nobody, and nothing is joined to the machine's tap yet.</summary>
    private GuestPersonality Personality(Stage stage) => new()
    {
        Hostname = s_pod.Hostname,
        WallClockUnixNanoseconds = UnixTime.Nanoseconds(time.GetUtcNow()),
        Entropy = RandomNumberGenerator.GetBytes(64),
        MachineId = RandomNumberGenerator.GetHexString(32, lowercase: true),
        Interfaces = !stage.HasNetwork ? [] : [new GuestInterface(CniPodNetwork.InterfaceName, "02:00:00:00:00:01", 1500, ["192.0.2.1/24"])],
        Routes = !stage.HasNetwork ? [] : [new GuestRoute("0.0.0.0/0", "192.0.2.2", CniPodNetwork.InterfaceName)],
        ResolvConf = "",
        Hosts = "",
        ScratchDisk = stage.HasScratch ? MachinePlan.ScratchSerial : null,
        ShareTag = stage.HasShare ? PodShare.Tag : null,
        Rehearsal = true,
    };

    [LoggerMessage(3187, LogLevel.Warning, "{Path} is missing: guests are not taken through a container before they are a pod's, so that its first one starts more slowly. Build the guest files anew")]
    private partial void DiskMissing(string path);

    /// <summary>Where it takes place.</summary>
    private sealed record Stage(
        GuestClient Guest,
        bool HasNetwork,
        bool HasScratch,
        bool HasShare,
        Func<DiskAttachment, CancellationToken, Task> PlugAsync,
        Func<string, CancellationToken, Task> UnplugAsync)
    {
        /// <summary>Puts a container's host paths where its guest finds them.</summary>
        public Func<string, ContainerConfig, CancellationToken, Task<IReadOnlyList<MountSpec>>> BindAsync { get; init; } = static (_, _, _) => Task.FromResult<IReadOnlyList<MountSpec>>([]);

        /// <summary>Takes them away.</summary>
        public Func<string, CancellationToken, Task> ReleaseAsync { get; init; } = static (_, _) => Task.CompletedTask;
    }
}
