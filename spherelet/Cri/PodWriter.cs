using System.Text.Json;
using Vks.Runtime.Machines;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

/// <summary>Pod sandboxes in the words of CRI.</summary>
internal static class PodWriter
{
    /// <summary>A pod as lists show it.</summary>
    public static V1.PodSandbox ListItem(PodSandbox sandbox)
    {
        PodConfig config = sandbox.Record.Config;
        return new V1.PodSandbox
        {
            Id = sandbox.Id,
            Metadata = Metadata(config.Name),
            State = State(sandbox),
            CreatedAt = sandbox.Record.CreatedUnixNanoseconds,
            Labels = { config.Labels.ToDictionary() },
            Annotations = { config.Annotations.ToDictionary() },
            RuntimeHandler = config.RuntimeHandler,
        };
    }

    /// <summary>A pod in full.</summary>
    public static V1.PodSandboxStatus Status(PodSandbox sandbox)
    {
        PodConfig config = sandbox.Record.Config;
        return new V1.PodSandboxStatus
        {
            Id = sandbox.Id,
            Metadata = Metadata(config.Name),
            State = State(sandbox),
            CreatedAt = sandbox.Record.CreatedUnixNanoseconds,
            Network = Network(sandbox),
            Linux = new V1.LinuxPodSandboxStatus { Namespaces = new V1.Namespace { Options = Namespaces(config) } },
            Labels = { config.Labels.ToDictionary() },
            Annotations = { config.Annotations.ToDictionary() },
            RuntimeHandler = config.RuntimeHandler,
        };
    }

    /// <summary>Which pod figures are of.</summary>
    public static V1.PodSandboxAttributes Attributes(PodSandbox sandbox) => new()
    {
        Id = sandbox.Id,
        Metadata = Metadata(sandbox.Record.Config.Name),
        Labels = { sandbox.Record.Config.Labels.ToDictionary() },
        Annotations = { sandbox.Record.Config.Annotations.ToDictionary() },
    };

    /// <summary>Facts for people: the machine behind the pod.</summary>
    public static string Info(PodSandbox sandbox) => InfoText.Write(json =>
    {
        json.WriteString("runtime", "crx");
        if (sandbox.Machine is { } machine)
        {
            MachineSnapshot snapshot = machine.Current;
            json.WriteNumber("pid", snapshot.QemuPid);
            json.WriteString("machineState", snapshot.State.ToString());
            json.WriteString("since", snapshot.Since);
            json.WriteNumber("vcpus", machine.Spec.VcpuCount);
            json.WriteNumber("memoryMiB", machine.Spec.MemoryMiB);
            json.WriteString("guestKernel", snapshot.KernelRelease ?? "");
            json.WriteString("template", snapshot.Template ?? "");
            json.WriteBoolean("pooled", machine.Spec.Labels.ContainsKey(MachinePlan.PooledLabel));
            json.WriteStartObject("startMilliseconds");
            foreach (StageTime stage in snapshot.Stages)
            {
                json.WriteNumber(stage.Name, Math.Round(stage.Elapsed.TotalMilliseconds, 1));
            }

            json.WriteEndObject();
        }

        if (sandbox.Record.Limits is { } limits)
        {
            json.WriteStartObject("limits");
            json.WriteNumber("memoryBytes", limits.MemoryBytes);
            json.WriteNumber("cpuQuotaMicroseconds", limits.CpuQuotaMicroseconds);
            json.WriteNumber("cpuPeriodMicroseconds", limits.CpuPeriodMicroseconds);
            json.WriteNumber("cpuShares", sandbox.Record.Config.Resources.CpuShares);
            json.WriteEndObject();
        }

        if (sandbox.Record.Network is { } network)
        {
            json.WriteString("netns", network.Attachment.NetnsPath);
            json.WriteString("tap", network.Attachment.TapName);
            json.WriteString("mac", network.Attachment.Mac);
            json.WriteString("interface", network.InterfaceName);
            json.WriteNumber("mtu", network.Attachment.Mtu);
            json.WriteStartArray("addresses");
            foreach (string address in network.Addresses)
            {
                json.WriteStringValue(address);
            }

            json.WriteEndArray();
        }

        if (sandbox.DownReason() is { Length: > 0 } reason)
        {
            json.WriteString("notReadyReason", reason);
        }

        json.WritePropertyName("config");
        JsonSerializer.Serialize(json, sandbox.Record.Config, PodJson.Default.PodConfig);
    });

    private static V1.NamespaceOption Namespaces(PodConfig config) => new()
    {
        Network = V1.NamespaceMode.Pod,
        Pid = (V1.NamespaceMode)(int)config.PidScope,
        Ipc = (V1.NamespaceMode)(int)config.IpcScope,
        UsernsOptions = config.UserNamespace is null ? null : UserNamespaceReader.Write(config.UserNamespace),
    };

    private static V1.PodSandboxState State(PodSandbox sandbox) =>
        sandbox.IsReady ? V1.PodSandboxState.SandboxReady : V1.PodSandboxState.SandboxNotready;

    private static V1.PodSandboxMetadata Metadata(PodName name) => new()
    {
        Name = name.Name,
        Namespace = name.Namespace,
        Uid = name.Uid,
        Attempt = name.Attempt,
    };

    /// <summary>A pod that was stopped has given its addresses back.</summary>
    private static V1.PodSandboxNetworkStatus Network(PodSandbox sandbox)
    {
        string[] addresses = sandbox.Record is { Stopped: false, Network: { } network } ? [.. network.PlainAddresses] : [];
        return new V1.PodSandboxNetworkStatus
        {
            Ip = addresses.FirstOrDefault(""),
            AdditionalIps = { addresses.Skip(1).Select(address => new V1.PodIP { Ip = address }) },
        };
    }
}
