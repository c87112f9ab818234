using Vks.Runtime.Machines;

namespace Vks.Spherelet.Pods;

/// <summary>Looks at the machines of all ready pods from both sides, the host and the guest.</summary>
internal sealed class PodCostReader(PodTable table, PodMeter pods, CrxEngine engine)
{
    /// <summary>Every pod that is ready now. A guest that does not answer leaves its part open; QEMU's own figures do not depend on it.</summary>
    public async Task<IReadOnlyList<PodCost>> ReadAllAsync(CancellationToken cancellationToken)
    {
        PodSandbox[] sandboxes = [.. table.Pods.Values.Where(static sandbox => sandbox.IsReady)];
        IReadOnlyList<PodReading> readings = await pods.ReadAllAsync(sandboxes, PodMeter.AnswerLimit, cancellationToken);
        Dictionary<string, PodReading> told = readings.ToDictionary(static reading => reading.Sandbox.Id);
        return
        [
            .. from sandbox in sandboxes
               let host = sandbox.Machine is { } machine ? engine.MeasureHost(machine) : null
               where host is not null
               select new PodCost(sandbox, host, told.GetValueOrDefault(sandbox.Id)),
        ];
    }
}
