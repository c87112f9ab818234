using Vks.Runtime.Machines;

namespace Vks.Spherelet.Pods;

internal sealed partial class PodService
{
    /// <summary>
    /// Takes back the pods an earlier daemon left: those whose machine still runs go on, the others are not ready any more, half-made
    /// ones are cleared away. Call once, after <see cref="CrxEngine.AdoptAsync"/> and before the first request.
    /// </summary>
    public async Task AdoptAsync(CancellationToken cancellationToken)
    {
        foreach (string id in store.ListPodIds())
        {
            try
            {
                await AdoptAsync(id, cancellationToken);
            }
            catch (Exception cause) when (!cancellationToken.IsCancellationRequested)
            {
                AdoptionFailed(id, cause);
            }
        }

        await RemoveMachinesWithoutPodAsync(cancellationToken);
    }

    private async Task AdoptAsync(string id, CancellationToken cancellationToken)
    {
        PodRecord? record = store.LoadPod(id);
        if (record is not { Made: true })
        {
            HalfMadePodCleared(id);
            if (record is not null)
            {
                await ClearAsync(record, cancellationToken);
            }
            else
            {
                await share.ReleasePodAsync(id, cancellationToken);
                store.DeletePod(id);
            }

            return;
        }

        table.PodNames.Reserve(record.Config.Name, id);
        var sandbox = new PodSandbox(record, engine.Find(MachineId.Parse(id)), store);
        await containers.AdoptAsync(sandbox, cancellationToken);
        table.Pods[id] = sandbox;
        if (sandbox.IsReady)
        {
            await RestoreLimitsAsync(sandbox);
        }

        sandbox.TellEnd(table.Events);
        PodAdopted(id, record.Config.Name, table.ContainersOf(id).Count, sandbox.IsReady);
    }

    /// <summary>A machine of a pod that has no record any more: the daemon ended while it removed the pod.</summary>
    private async Task RemoveMachinesWithoutPodAsync(CancellationToken cancellationToken)
    {
        foreach (Machine machine in engine.Machines)
        {
            if (machine.Spec.Labels.TryGetValue(MachinePlan.PodLabel, out string? podId) && !table.Pods.ContainsKey(podId) && store.LoadPod(podId) is null)
            {
                HalfMadePodCleared(podId);
                await engine.RemoveAsync(machine.Id, cancellationToken);
            }
        }
    }
}
