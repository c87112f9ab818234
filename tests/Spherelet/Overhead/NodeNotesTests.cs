using System.Net;
using System.Net.Sockets;
using Vks.Spherelet.Overhead;

namespace Vks.Tests.Spherelet.Overhead;

/// <summary>What becomes of a daemon's word to its Node where that cannot be had; that it arrives is seen with a real API server in <c>Kubernetes/</c>.</summary>
public sealed class NodeNotesTests : IDisposable
{
    private static readonly PodOverhead s_overhead = new(96 << 20, 20);

    private readonly string _folder = Directory.CreateTempSubdirectory("vks-test-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_kubelet_that_has_not_joined_yet_is_told_by_the_file_that_is_missing()
    {
        NodeNotesException refused = await Assert.ThrowsAsync<NodeNotesException>(() => new NodeNotes("/nowhere/kubeconfig", "node-1").TellAsync(s_overhead, Token));

        Assert.Equal("/nowhere/kubeconfig is not there. A kubelet writes it when it has joined its cluster.", refused.Message);
    }

    [Theory]
    [InlineData("rubbish: [")]
    [InlineData("apiVersion: v1\nkind: Config\n")]
    [InlineData("")]
    public async Task A_file_that_is_no_kubeconfig_is_named(string content)
    {
        string file = Path.Combine(_folder, "kubeconfig");
        await File.WriteAllTextAsync(file, content, Token);

        NodeNotesException refused = await Assert.ThrowsAsync<NodeNotesException>(() => new NodeNotes(file, "node-1").TellAsync(s_overhead, Token));

        Assert.Contains(file, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_API_server_that_is_not_there_is_named_with_the_node()
    {
        using TcpListener closed = new(IPAddress.Loopback, 0);
        closed.Start();
        int port = ((IPEndPoint)closed.LocalEndpoint).Port;
        closed.Stop();
        string file = Path.Combine(_folder, "kubeconfig");
        await File.WriteAllTextAsync(
            file,
            $$"""
            apiVersion: v1
            kind: Config
            clusters: [{ name: c, cluster: { server: "https://127.0.0.1:{{port}}" } }]
            users: [{ name: u, user: { token: t } }]
            contexts: [{ name: x, context: { cluster: c, user: u } }]
            current-context: x
            """,
            Token);

        NodeNotesException refused = await Assert.ThrowsAsync<NodeNotesException>(() => new NodeNotes(file, "node-1").TellAsync(s_overhead, Token));

        Assert.StartsWith($"Node node-1 could not be annotated with {file}: Connection refused", refused.Message, StringComparison.Ordinal);
    }
}
