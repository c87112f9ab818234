namespace Vks.Tests.Spherelet.Network;

/// <summary>Tests that change the host's forwarding sysctls run one after another, so that each finds and leaves them as they were.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class HostNetworkCollection
{
    public const string Name = "host network";
}
