using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>Tests that share one lab. They run one after another, because they restart its daemon.</summary>
[CollectionDefinition(Name)]
public sealed class NodeCollection : ICollectionFixture<NodeLab>
{
    public const string Name = "node";
}
