using Vks.Runtime.Machines;

namespace Vks.Tests.Kit;

/// <summary>A backend whose start is a function.</summary>
internal sealed class ScriptedBackend(Func<MachineSpec, CancellationToken, Task<IMachineRun>> start) : IMachineBackend
{
    public Task<IMachineRun> StartAsync(MachineSpec spec, ConsoleLog console, CancellationToken cancellationToken) => start(spec, cancellationToken);
}
