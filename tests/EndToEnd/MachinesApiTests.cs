using System.Net.Security;
using Google.Protobuf;
using Grpc.Core;
using Vks.Machines.V1;
using Vks.Spherelet.Cri.V1;
using Vks.Supervisor.ControlPlane;
using Vks.Supervisor.Hosts;
using Vks.Supervisor.Pki;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>The machines API as its callers meet it: who may call, what is refused, and what is answered while there is no machine.</summary>
public sealed class MachinesApiTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Only_clients_of_the_named_authority_reach_the_machines_and_nothing_else_is_served_there()
    {
        await using MachinesLab lab = await MachinesLab.StartAsync(Token);
        SphereletPki strangers = new(Path.Combine(lab.Directory, "strangers"), TimeProvider.System);
        strangers.Ensure("lab");
        using SocketsHttpHandler nobody = Anonymous(lab);
        RuntimeService.RuntimeServiceClient cri = new(lab.ChannelOf(SphereletMemberHost.Handler(lab.Pki)));

        RpcException withoutCertificate = await Assert.ThrowsAsync<RpcException>(async () => await lab.ClientOf(nobody).ListMachinesAsync(new ListMachinesRequest(), cancellationToken: Token));
        RpcException ofStrangers = await Assert.ThrowsAsync<RpcException>(async () =>
            await lab.ClientOf(MutualTls.Client(lab.Pki.AuthorityFile, strangers.ClientPlace)).ListMachinesAsync(new ListMachinesRequest(), cancellationToken: Token));
        RpcException pods = await Assert.ThrowsAsync<RpcException>(async () => await cri.VersionAsync(new VersionRequest(), cancellationToken: Token));
        RpcException onTheSocket = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            using Grpc.Net.Client.GrpcChannel socket = Vks.Spherelet.Protos.CriClient.Connect(lab.Daemon.SocketPath);
            await new Vks.Machines.V1.Machines.MachinesClient(socket).ListMachinesAsync(new ListMachinesRequest(), cancellationToken: Token);
        });

        Assert.Empty((await lab.Client.ListMachinesAsync(new ListMachinesRequest(), cancellationToken: Token)).Machines);
        Assert.Equal(
            [StatusCode.Unavailable, StatusCode.Unavailable, StatusCode.Unimplemented, StatusCode.Unimplemented],
            new[] { withoutCertificate, ofStrangers, pods, onTheSocket }.Select(static refused => refused.StatusCode == StatusCode.Internal ? StatusCode.Unavailable : refused.StatusCode));
        Assert.Equal("vks", (await lab.Daemon.Cri.Runtime.VersionAsync(new VersionRequest(), cancellationToken: Token)).RuntimeName);
    }

    [Fact]
    public async Task A_renewed_certificate_is_shown_to_the_next_client_and_a_broken_one_to_none()
    {
        await using MachinesLab lab = await MachinesLab.StartAsync(Token);
        string file = Path.Combine(lab.Directory, "tls", "tls.crt");
        string before = await SerialAsync(lab);

        lab.Pki.IssueFor(lab.Host, Path.GetDirectoryName(file)!);
        string renewed = await SerialAsync(lab);
        await File.WriteAllTextAsync(file, "no certificate", Token);
        string kept = await SerialAsync(lab);

        Assert.NotEqual(before, renewed);
        Assert.Equal(renewed, kept);
        Assert.Contains("cannot be read", lab.Daemon.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_can_never_be_is_refused_before_anything_is_made()
    {
        await using MachinesLab lab = await MachinesLab.StartAsync(Token);
        Vks.Machines.V1.Machines.MachinesClient machines = lab.Client;
        MachineSettings small = new() { MemoryMib = 1, DiskMib = 256, Link = "lo", SettingsFile = "/var/lib/vks-member/a/member.yaml" };

        Assert.Equal(StatusCode.InvalidArgument, await StatusAsync(async () => await machines.PutFileAsync(new PutFileRequest { Name = "demo-1", Path = "../machine.json" }, cancellationToken: Token)));
        Assert.Equal(StatusCode.InvalidArgument, await StatusAsync(async () => await machines.PutFileAsync(new PutFileRequest { Name = "../x", Path = "a" }, cancellationToken: Token)));
        Assert.Equal(StatusCode.InvalidArgument, await StatusAsync(async () => await machines.PutFileAsync(
            new PutFileRequest { Name = "demo-1", Path = "a", Content = ByteString.CopyFrom(new byte[(1024 * 1024) + 1]) }, cancellationToken: Token)));
        Assert.Equal(StatusCode.InvalidArgument, await StatusAsync(async () => await machines.SetMachineAsync(new SetMachineRequest { Name = "demo-1", Settings = small }, cancellationToken: Token)));
        Assert.Equal(StatusCode.InvalidArgument, await StatusAsync(async () => await machines.SetMachineAsync(new SetMachineRequest { Name = "demo-1" }, cancellationToken: Token)));
        Assert.Equal(StatusCode.NotFound, await StatusAsync(async () => await machines.StartMachineAsync(new StartMachineRequest { Name = "demo-1" }, cancellationToken: Token)));
        Assert.Equal(StatusCode.NotFound, await StatusAsync(async () => await machines.GetMachineAsync(new GetMachineRequest { Name = "demo-1" }, cancellationToken: Token)));
        Assert.Equal(StatusCode.InvalidArgument, await StatusAsync(async () => await machines.GetHostAsync(new GetHostRequest { Link = "lo", Probe = { "x" } }, cancellationToken: Token)));
        Assert.False(Directory.Exists(Path.Combine(lab.Directory, "root", "kept")));

        Vks.Machines.V1.Host host = await machines.GetHostAsync(new GetHostRequest { Link = "lo", Probe = { "127.0.0.1" } }, cancellationToken: Token);
        Assert.True(host is { LinkUp: true, HasMtu: true, FreeBytes: > 0, MemoryMib: > 0 }, host.ToString());
        Assert.Equal("this host", host.Taken["127.0.0.1"]);
    }

    [Fact]
    public async Task A_host_tells_the_versions_that_its_image_names_and_the_Supervisor_has_them_of_the_programs_it_asks_for()
    {
        string folder = Directory.CreateTempSubdirectory("vks-test-image-").FullName;
        try
        {
            string image = await TinyMemberImage.WriteAsync(folder, Token, versions: """{"kube-apiserver":"v1.31.4","etcd":"3.5.16"}""");
            await using MachinesLab lab = await MachinesLab.StartAsync(Token, "--machines-image", image);
            ControlPlaneSettings settings = ControlPlaneSettingsFile.Parse($$"""
                name: demo
                replicas: 1
                size: tiny
                firstAddress: 10.79.2.11
                prefix: 24
                link: lo
                zones:
                - name: a
                  hosts:
                  - { name: {{lab.Host.Name}}, spherelet: "{{lab.Host.Spherelet}}" }
                """);
            using SphereletMemberHost host = new(lab.Host, settings, lab.Pki, TimeProvider.System);
            string program = Path.Combine(settings.Programs, "kube-apiserver");
            HostQuestion question = new("lo", [], [], [], "/") { Versions = [program, "/opt/kube-proxy"] };

            Assert.Equal(KeyValuePair.Create(program, "v1.31.4"), Assert.Single((await host.AskAsync(question, Token)).Facts.Versions));
            Assert.Equal("3.5.16", (await lab.Client.GetHostAsync(new GetHostRequest { Link = "lo" }, cancellationToken: Token)).Versions["etcd"]);

            File.Move(await TinyMemberImage.WriteAsync(folder, Token, versions: "none"), image, overwrite: true);
            RpcException broken = await Assert.ThrowsAsync<RpcException>(async () => await lab.Client.GetHostAsync(new GetHostRequest { Link = "lo" }, cancellationToken: Token));
            Assert.Contains("usr/lib/vks/versions.json is no JSON object", broken.Status.Detail, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<StatusCode> StatusAsync(Func<Task> call) => (await Assert.ThrowsAsync<RpcException>(call)).StatusCode;

    /// <summary>Knows the server and shows nothing of itself.</summary>
    private static SocketsHttpHandler Anonymous(MachinesLab lab)
    {
        SocketsHttpHandler handler = SphereletMemberHost.Handler(lab.Pki);
        handler.SslOptions.LocalCertificateSelectionCallback = null;
        return handler;
    }

    /// <summary>The serial of the certificate that a new connection is shown.</summary>
    private static async Task<string> SerialAsync(MachinesLab lab)
    {
        var serial = "";
        SocketsHttpHandler handler = SphereletMemberHost.Handler(lab.Pki);
        RemoteCertificateValidationCallback judge = handler.SslOptions.RemoteCertificateValidationCallback!;
        handler.SslOptions.RemoteCertificateValidationCallback = (sender, certificate, chain, errors) =>
        {
            serial = certificate!.GetSerialNumberString();
            return judge(sender, certificate, chain, errors);
        };
        await lab.ClientOf(handler).ListMachinesAsync(new ListMachinesRequest(), cancellationToken: Token);
        return serial;
    }
}
