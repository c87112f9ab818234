namespace Vks.Tests.Kit;

/// <summary>The lab of three zones: in each a node and a member of the control plane, a floating address, a Supervisor.</summary>
public sealed class ZonesLab() : KubernetesLab("8", "--zones", "3");
