using Vks.Tests.Kit;

namespace Vks.Tests.Kubernetes;

/// <summary>
/// Tests that share one cluster. They run one after another, because some of them kill its programs, and after all others: a cluster with its
/// pods takes all of a small machine.
/// </summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class KubernetesCollection : ICollectionFixture<KubernetesLab>
{
    public const string Name = "kubernetes";
}
