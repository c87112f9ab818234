using Vks.Tests.Kit;

namespace Vks.Tests.Supervisor;

/// <summary>Tests that share one control plane. They run one after another, because some of them kill the Supervisor.</summary>
[CollectionDefinition(Name)]
public sealed class ClusterCollection : ICollectionFixture<ClusterLab>
{
    public const string Name = "cluster";
}
