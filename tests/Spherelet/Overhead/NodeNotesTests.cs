using System.Net;
using System.Net.Sockets;
using Vks.Spherelet.Overhead;
using Vks.Tests.Kit;

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
        NodeNotesException refused = await RefusedAsync("https://127.0.0.1:1", "/nowhere/kubelet.pem");

        Assert.Equal("/nowhere/kubelet.pem is not there. A kubelet writes it when it has joined its cluster.", refused.Message);
    }

    [Theory]
    [InlineData("rubbish")]
    [InlineData("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")]
    [InlineData("")]
    public async Task A_file_that_is_no_certificate_is_named(string content)
    {
        string file = Path.Combine(_folder, "kubelet.pem");
        await File.WriteAllTextAsync(file, content, Token);

        Assert.Contains(file, (await RefusedAsync("https://127.0.0.1:1", file)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_API_server_that_is_not_there_is_named()
    {
        using TcpListener closed = new(IPAddress.Loopback, 0);
        closed.Start();
        int port = ((IPEndPoint)closed.LocalEndpoint).Port;
        closed.Stop();
        string file = Path.Combine(_folder, "kubelet.pem");
        using TestAuthority authority = new();
        (string certificate, string key) = authority.IssueForLoopback();
        await File.WriteAllTextAsync(file, certificate + "\n" + key + "\n", Token);

        NodeNotesException refused = await RefusedAsync($"https://127.0.0.1:{port}", file);

        Assert.StartsWith($"PATCH https://127.0.0.1:{port}/api/v1/nodes/node-1 with {file}", refused.Message, StringComparison.Ordinal);
        Assert.Contains("Connection refused", refused.Message, StringComparison.Ordinal);
    }

    private async Task<NodeNotesException> RefusedAsync(string server, string certificate)
    {
        string authority = Path.Combine(_folder, "ca.crt");
        await File.WriteAllTextAsync(authority, "", Token);
        return await Assert.ThrowsAsync<NodeNotesException>(() => new NodeNotes(new NodePlace("node-1", new Uri(server), authority, certificate)).TellAsync(s_overhead, Token));
    }
}
