namespace Vks.Tests.Supervisor.ControlPlane;

/// <summary>Tests that run whole control planes: one after the other, and nothing else beside them, for they measure how long things take.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ControlPlaneCollection
{
    public const string Name = "control plane";
}
