using System.Text.Json;
using Grpc.Core;
using Vks.Runtime.Machines;
using Vks.Spherelet.Network;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override async Task<V1.StatusResponse> Status(V1.StatusRequest request, ServerCallContext context)
    {
        NetworkCondition condition = await network.GetConditionAsync(context.CancellationToken);
        var response = new V1.StatusResponse
        {
            Status = new V1.RuntimeStatus
            {
                Conditions =
                {
                    new V1.RuntimeCondition { Type = "RuntimeReady", Status = true },
                    new V1.RuntimeCondition { Type = "NetworkReady", Status = condition.IsReady, Reason = condition.Reason, Message = condition.Message },
                },
            },
            RuntimeHandlers = { RuntimeHandlers.Names.Select(static name => new V1.RuntimeHandler { Name = name, Features = Features() }) },
            Features = new V1.RuntimeFeatures { SupplementalGroupsPolicy = true },
        };
        if (request.Verbose)
        {
            AcceleratorReport accelerator = await engine.GetAcceleratorAsync(context.CancellationToken);
            response.Info["info"] = InfoText.Write(json =>
            {
                json.WriteString("accelerator", accelerator.IsKvm ? "kvm" : "tcg");
                json.WriteString("acceleratorReason", accelerator.Reason);
                json.WriteNumber("machines", engine.Machines.Count);
                json.WriteNumber("pods", table.Pods.Count);
                json.WriteNumber("containers", table.Containers.Count);
                WritePool(json, pool.Report);
                if (overhead.Now is { } cost)
                {
                    json.WriteStartObject("podOverhead");
                    json.WriteNumber("memoryMiB", cost.MemoryBytes >> 20);
                    json.WriteNumber("cpuMillis", cost.CpuMillis);
                    json.WriteEndObject();
                }
            });
            response.Info["config"] = JsonSerializer.Serialize(settings, SettingsJson.Default.SphereletOptions);
        }

        return response;
    }

    private static void WritePool(Utf8JsonWriter json, PoolReport report)
    {
        const long MiB = 1024 * 1024;
        json.WriteStartObject("pool");
        json.WriteNumber("budgetMiB", report.BudgetBytes / MiB);
        json.WriteNumber("usedMiB", report.Bytes / MiB);
        json.WriteNumber("hits", report.Hits);
        json.WriteNumber("misses", report.Misses);
        json.WriteNumber("refills", report.Refills);
        json.WriteNumber("failures", report.Failures);
        json.WriteNumber("dropped", report.Dropped);
        json.WriteNumber("refillMilliseconds", Math.Round(report.RefillTime.TotalMilliseconds));
        json.WriteStartArray("machines");
        foreach (PoolShelf shelf in report.Shelves)
        {
            json.WriteStartObject();
            json.WriteNumber("vcpus", shelf.Shape.VcpuCount);
            json.WriteNumber("memoryMiB", shelf.Shape.MemoryMiB);
            json.WriteNumber("ready", shelf.Ready);
            json.WriteNumber("wanted", shelf.Wanted);
            json.WriteNumber("usedMiB", shelf.Bytes / MiB);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>What is the same for every handler: the machine's kernel is.</summary>
    private static V1.RuntimeHandlerFeatures Features() => new() { RecursiveReadOnlyMounts = true, UserNamespaces = true };
}
