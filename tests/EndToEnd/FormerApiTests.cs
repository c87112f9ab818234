using System.Net.Sockets;
using Grpc.Core;
using Grpc.Net.Client;
using Vks.Spherelet.Cri.V1;
using Vks.Spherelet.Protos;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>The daemon as old kubelets and clients of other makes call it.</summary>
[Collection(NodeCollection.Name)]
public sealed class FormerApiTests(NodeLab lab)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_pod_lives_and_ends_by_calls_of_v1alpha2_and_is_the_same_pod_in_v1()
    {
        using var former = new CriClient(lab.Daemon.SocketPath, new FormerApiCalls());
        PodSandboxConfig config = PodUnderTest.NewConfig(lab);

        VersionResponse version = await former.Runtime.VersionAsync(new VersionRequest { Version = "0.1.0" }, cancellationToken: Token);
        string pod = (await former.Runtime.RunPodSandboxAsync(new RunPodSandboxRequest { Config = config }, cancellationToken: Token)).PodSandboxId;
        string container = (await former.Runtime.CreateContainerAsync(
            new CreateContainerRequest
            {
                PodSandboxId = pod,
                SandboxConfig = config,
                Config = new ContainerConfig
                {
                    Metadata = new ContainerMetadata { Name = "old" },
                    Image = new ImageSpec { Image = lab.Image },
                    Command = { "sleep", "1000" },
                    Envs = { new KeyValue { Key = "GREETING", Value = Google.Protobuf.ByteString.CopyFromUtf8("grüße") } },
                },
            },
            cancellationToken: Token)).ContainerId;
        await former.Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = container }, cancellationToken: Token);
        ExecSyncResponse said = await former.Runtime.ExecSyncAsync(
            new ExecSyncRequest { ContainerId = container, Cmd = { "sh", "-c", "echo $GREETING" }, Timeout = 20 }, cancellationToken: Token);
        Image? image = (await former.Images.ImageStatusAsync(new ImageStatusRequest { Image = new ImageSpec { Image = lab.Image } }, cancellationToken: Token)).Image;
        PodSandbox seen = Assert.Single((await lab.Cri.Runtime.ListPodSandboxAsync(
            new ListPodSandboxRequest { Filter = new PodSandboxFilter { Id = pod } }, cancellationToken: Token)).Items);
        await former.Runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = pod }, cancellationToken: Token);
        await former.Runtime.RemovePodSandboxAsync(new RemovePodSandboxRequest { PodSandboxId = pod }, cancellationToken: Token);

        Assert.Equal("v1alpha2", version.RuntimeApiVersion);
        Assert.Equal("v1", (await lab.Cri.Runtime.VersionAsync(new VersionRequest(), cancellationToken: Token)).RuntimeApiVersion);
        Assert.Equal("grüße\n", said.Stdout.ToStringUtf8());
        Assert.NotNull(image);
        Assert.Equal(config.Metadata, seen.Metadata);
        RpcException gone = await Assert.ThrowsAsync<RpcException>(() => former.Runtime.PodSandboxStatusAsync(
            new PodSandboxStatusRequest { PodSandboxId = pod }, cancellationToken: Token).ResponseAsync);
        Assert.Equal(StatusCode.NotFound, gone.StatusCode);
    }

    [Fact]
    public async Task Services_of_other_names_are_not_there()
    {
        using GrpcChannel channel = Channel("localhost");
        CallInvoker calls = channel.CreateCallInvoker();
        Marshaller<string> text = Marshallers.StringMarshaller;

        foreach (string service in new[] { "runtime.v1alpha1.RuntimeService", "runtime.v1alpha2.NoService", "grpc.reflection.v1.ServerReflection" })
        {
            var method = new Method<string, string>(MethodType.Unary, service, "Version", text, text);
            RpcException refused = await Assert.ThrowsAsync<RpcException>(() => calls.AsyncUnaryCall(method, null, new CallOptions(cancellationToken: Token), "").ResponseAsync);
            Assert.Equal(StatusCode.Unimplemented, refused.StatusCode);
        }
    }

    /// <summary>What clients of a unix socket put there differs: newer Go ones say localhost, older ones the socket's path, bare or escaped.</summary>
    [Theory]
    [InlineData("localhost")]
    [InlineData("%2Frun%2Fvks%2Fspherelet.sock")]
    [InlineData("/run/vks/spherelet.sock")]
    public async Task The_authority_a_client_names_does_not_matter(string authority)
    {
        using GrpcChannel channel = Channel(authority);
        var runtime = new RuntimeService.RuntimeServiceClient(channel);

        VersionResponse version = await runtime.VersionAsync(new VersionRequest(), cancellationToken: Token);

        Assert.Equal("vks", version.RuntimeName);
    }

    private GrpcChannel Channel(string authority)
    {
        string socketPath = lab.Daemon.SocketPath;
        var sockets = new SocketsHttpHandler
        {
            ConnectCallback = async (_, token) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), token);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        return GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions { HttpHandler = new AuthorityHandler(authority) { InnerHandler = sockets }, DisposeHttpClient = true });
    }

    private sealed class AuthorityHandler(string authority) : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Headers.TryAddWithoutValidation("Host", authority);
            return base.SendAsync(request, cancellationToken);
        }
    }
}
