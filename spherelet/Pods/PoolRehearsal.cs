using System.IO.Pipelines;
using System.Security.Cryptography;
using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Machines;
using Vks.Spherelet.Images;
using Vks.Spherelet.Network;

namespace Vks.Spherelet.Pods;

/// <summary>Lets a machine that waits for its pod go once through a pod's whole life, by the very calls that a pod makes.</summary>
/// <remarks>
/// What runs for the first time is slow: QEMU's translator has to translate it, the guest's kernel to read it. A rehearsed guest has that behind it. It
/// leaves nothing of the rehearsal: its containers are deleted, its disk is unplugged, its network is taken back.
/// </remarks>
internal sealed partial class PoolRehearsal(PodShare share, PoolOptions options, TimeProvider time, ILogger<PoolRehearsal> logger)
{
    private const string Serial = "rehearsal";

    private static readonly PodConfig s_pod = new() { Name = new PodName("rehearsal", "vks", "", 0), Hostname = "rehearsal" };

    private static readonly ContainerImage s_image = new()
    {
        ImageId = "sha256:" + Serial.PadRight(64, '0'),
        ImageRef = "",
        DiskPath = "",
        Config = new ImageRunConfig(),
    };

    /// <summary>Rehearses.</summary>
    /// <param name="id">The pod's id to be.</param>
    /// <param name="machine">A spare machine whose agent answers.</param>
    /// <param name="cancellationToken">Gives it up; the machine is then to be ended.</param>
    /// <exception cref="GuestException">The guest cannot do what every pod asks of it.</exception>
    /// <exception cref="MachineException">The machine is gone, or the disk could not be plugged in or out.</exception>
    public async Task RunAsync(string id, Machine machine, CancellationToken cancellationToken)
    {
        GuestClient guest = machine.Guest;
        await guest.CallAsync(GuestMethods.Configure, Personality(machine.Spec), GuestJson.Default.GuestPersonality, GuestJson.Default.Empty, cancellationToken);
        if (!File.Exists(options.RehearsalDisk))
        {
            DiskMissing(options.RehearsalDisk);
            return;
        }

        string serial = ContainerPlan.DiskSerial(s_image.ImageId);
        await machine.AttachDiskAsync(new DiskAttachment(serial, options.RehearsalDisk, ReadOnly: true), cancellationToken);
        await RunContainerAsync(id, machine, PidNamespace.Pod, cancellationToken);
        await RunContainerAsync(id, machine, PidNamespace.Container, cancellationToken);
        await machine.DetachDiskAsync(serial, cancellationToken);
    }

    /// <summary>A container from its making to its end, with a host path in it and a command run in it.</summary>
    private async Task RunContainerAsync(string podId, Machine machine, PidNamespace pids, CancellationToken cancellationToken)
    {
        GuestClient guest = machine.Guest;
        var container = new ContainerReference(PodId.New());
        var config = new ContainerConfig
        {
            Name = "rehearsal",
            Image = Serial,
            Command = ["/program"],
            Mounts = [new ContainerMount { ContainerPath = "/mnt/host", HostPath = Path.GetDirectoryName(options.RehearsalDisk)!, ReadOnly = true }],
            Security = new ContainerSecurity { PidNamespace = pids, Seccomp = pids == PidNamespace.Pod ? SeccompChoice.RuntimeDefault : SeccompChoice.Unconfined },
        };
        IReadOnlyList<MountSpec> mounts = machine.Spec.SharedDirectory is null
            ? []
            : [.. (await share.BindAsync(podId, container.ContainerId, config.Mounts, machine.Current.QemuPid, cancellationToken)).SelectMany(static mount => mount)];
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
        await share.ReleaseContainerAsync(podId, container.ContainerId, machine.Current.QemuPid, cancellationToken);
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
    private GuestPersonality Personality(MachineSpec spec) => new()
    {
        Hostname = s_pod.Hostname,
        WallClockUnixNanoseconds = UnixTime.Nanoseconds(time.GetUtcNow()),
        Entropy = RandomNumberGenerator.GetBytes(64),
        MachineId = RandomNumberGenerator.GetHexString(32, lowercase: true),
        Interfaces = spec.Network is null ? [] : [new GuestInterface(CniPodNetwork.InterfaceName, "02:00:00:00:00:01", 1500, ["192.0.2.1/24"])],
        Routes = spec.Network is null ? [] : [new GuestRoute("0.0.0.0/0", "192.0.2.2", CniPodNetwork.InterfaceName)],
        ResolvConf = "",
        Hosts = "",
        ScratchDisk = spec.ScratchMiB > 0 ? MachinePlan.ScratchSerial : null,
        ShareTag = spec.SharedDirectory is null ? null : PodShare.Tag,
        Rehearsal = true,
    };

    [LoggerMessage(3187, LogLevel.Warning, "{Path} is missing: pods that take a machine of the pool will start their first container as slowly as others. Build the guest files anew")]
    private partial void DiskMissing(string path);
}
