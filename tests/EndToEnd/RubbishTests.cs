using CliWrap;
using Grpc.Core;
using Grpc.Net.Client;
using Vks.Spherelet.Cri.V1;
using Vks.Spherelet.Protos;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>What a caller's mistake gives: a clear typed error, and nothing left.</summary>
[Collection(NodeCollection.Name)]
public sealed class RubbishTests(NodeLab lab)
{
    private const string NoSuchId = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Unknown_ids_are_NotFound_where_they_must_exist_and_fine_where_removal_is_asked()
    {
        RuntimeService.RuntimeServiceClient runtime = lab.Cri.Runtime;

        await FailsAsync(StatusCode.NotFound, NoSuchId[..12], () => runtime.PodSandboxStatusAsync(new PodSandboxStatusRequest { PodSandboxId = NoSuchId }, cancellationToken: Token).ResponseAsync);
        await FailsAsync(StatusCode.NotFound, NoSuchId[..12], () => runtime.ContainerStatusAsync(new ContainerStatusRequest { ContainerId = NoSuchId }, cancellationToken: Token).ResponseAsync);
        await FailsAsync(StatusCode.NotFound, NoSuchId[..12], () => runtime.StartContainerAsync(new StartContainerRequest { ContainerId = NoSuchId }, cancellationToken: Token).ResponseAsync);
        await FailsAsync(StatusCode.NotFound, NoSuchId[..12], () => runtime.ExecSyncAsync(new ExecSyncRequest { ContainerId = NoSuchId, Cmd = { "true" } }, cancellationToken: Token).ResponseAsync);
        await FailsAsync(StatusCode.NotFound, NoSuchId[..12], () => runtime.ReopenContainerLogAsync(new ReopenContainerLogRequest { ContainerId = NoSuchId }, cancellationToken: Token).ResponseAsync);
        await runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = NoSuchId }, cancellationToken: Token);
        await runtime.RemovePodSandboxAsync(new RemovePodSandboxRequest { PodSandboxId = NoSuchId }, cancellationToken: Token);
        await runtime.RemoveContainerAsync(new RemoveContainerRequest { ContainerId = NoSuchId }, cancellationToken: Token);
    }

    [Fact]
    public async Task A_sandbox_config_without_a_name_or_with_a_path_trick_is_refused_and_leaves_nothing()
    {
        LeakCheck before = lab.TakeLeakCheck();
        PodSandboxConfig nameless = PodUnderTest.NewConfig(lab);
        nameless.Metadata.Name = "";
        PodSandboxConfig escaping = PodUnderTest.NewConfig(lab);
        escaping.LogDirectory = "/var/log/pods/../../../etc";
        PodSandboxConfig wrongHost = PodUnderTest.NewConfig(lab);
        wrongHost.Hostname = new string('x', 300);

        await FailsAsync(StatusCode.InvalidArgument, "name", () => RunAsync(nameless));
        await FailsAsync(StatusCode.InvalidArgument, "log", () => RunAsync(escaping));
        await FailsAsync(StatusCode.InvalidArgument, "host", () => RunAsync(wrongHost));
        await FailsAsync(StatusCode.InvalidArgument, "config", () => lab.Cri.Runtime.RunPodSandboxAsync(new RunPodSandboxRequest(), cancellationToken: Token).ResponseAsync);
        Assert.Empty(before.Differences(await LeakCheck.SettleAsync(lab.TakeLeakCheck, before, Token)));
    }

    [Fact]
    public async Task A_name_that_is_taken_is_refused()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        await pod.CreateAsync(Token, config => config.Metadata.Name = "twice", "true");

        await FailsAsync(StatusCode.AlreadyExists, pod.Config.Metadata.Name, () => RunAsync(pod.Config));
        await FailsAsync(StatusCode.AlreadyExists, "twice", () => pod.CreateAsync(Token, config => config.Metadata.Name = "twice", "true"));
    }

    [Fact]
    public async Task A_container_of_an_image_that_was_never_pulled_is_refused()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);

        await FailsAsync(StatusCode.NotFound, "no/such/image", () => pod.CreateAsync(Token, config => config.Image.Image = "127.0.0.1:1/no/such/image:1", "true"));
        await FailsAsync(StatusCode.InvalidArgument, "image", () => pod.CreateAsync(Token, config => config.Image.Image = "UPPER CASE", "true"));
        await FailsAsync(StatusCode.InvalidArgument, "log", () => pod.CreateAsync(Token, config => config.LogPath = "../../escape.log", "true"));
        Assert.Empty((await lab.Cri.Runtime.ListContainersAsync(
            new ListContainersRequest { Filter = new ContainerFilter { PodSandboxId = pod.Id } }, cancellationToken: Token)).Containers);
    }

    [Fact]
    public async Task A_command_that_does_not_exist_fails_the_start_with_its_name_and_the_pod_goes_on()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.CreateAsync(Token, null, "/no/such/program");

        RpcException failure = await Assert.ThrowsAsync<RpcException>(() => lab.Cri.Runtime.StartContainerAsync(
            new StartContainerRequest { ContainerId = container }, cancellationToken: Token).ResponseAsync);

        Assert.Contains("/no/such/program", failure.Status.Detail, StringComparison.Ordinal);
        Assert.NotEqual(StatusCode.Internal, failure.StatusCode);
        ContainerStatus status = await pod.ContainerStatusAsync(container, Token);
        Assert.Equal(ContainerState.ContainerExited, status.State);
        Assert.True(status.ExitCode is 126 or 127 or 128, status.ToString());
        string next = await pod.StartAsync(Token, "sleep", "1000");
        Assert.Equal("ok\n", await pod.ExecAsync(next, Token, "echo", "ok"));
    }

    [Fact]
    public async Task An_exec_that_does_not_exist_or_lasts_too_long_is_told_apart_and_leaves_no_process()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sleep", "1000");

        RpcException slow = await Assert.ThrowsAsync<RpcException>(() => lab.Cri.Runtime.ExecSyncAsync(
            new ExecSyncRequest { ContainerId = container, Cmd = { "sleep", "777" }, Timeout = 1 }, cancellationToken: Token).ResponseAsync);
        Exception? missing = await Record.ExceptionAsync(() => pod.ExecAsync(container, Token, "/no/such/program"));

        Assert.Equal(StatusCode.DeadlineExceeded, slow.StatusCode);
        Assert.NotNull(missing);
        Assert.Contains("/no/such/program", missing.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("777", await pod.ExecAsync(container, Token, "ps"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_container_of_a_stopped_pod_is_refused()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string made = await pod.CreateAsync(Token, null, "true");
        await lab.Cri.Runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = pod.Id }, cancellationToken: Token);

        await FailsAsync(StatusCode.FailedPrecondition, pod.Id[..12], () => pod.CreateAsync(Token, null, "true"));
        RpcException start = await Assert.ThrowsAsync<RpcException>(() => lab.Cri.Runtime.StartContainerAsync(
            new StartContainerRequest { ContainerId = made }, cancellationToken: Token).ResponseAsync);
        Assert.Equal(StatusCode.FailedPrecondition, start.StatusCode);
    }

    [Fact]
    public async Task A_registry_that_is_down_and_an_image_that_does_not_exist_are_told_apart()
    {
        RpcException down = await Assert.ThrowsAsync<RpcException>(() => PullAsync("127.0.0.1:1/vks/demo:latest"));
        RpcException unknown = await Assert.ThrowsAsync<RpcException>(() => PullAsync(lab.Image.Replace("vks/demo", "vks/nothing", StringComparison.Ordinal)));

        Assert.Equal(StatusCode.Unavailable, down.StatusCode);
        Assert.Equal(StatusCode.NotFound, unknown.StatusCode);
        Assert.Contains("127.0.0.1:1", down.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Calls_that_are_not_there_yet_say_so()
    {
        RpcException failure = await Assert.ThrowsAsync<RpcException>(() => lab.Cri.Runtime.CheckpointContainerAsync(
            new CheckpointContainerRequest { ContainerId = NoSuchId }, cancellationToken: Token).ResponseAsync);

        Assert.Equal(StatusCode.Unimplemented, failure.StatusCode);
        Assert.Contains("CheckpointContainer", failure.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bytes_that_are_no_message_of_the_call_are_the_callers_mistake_under_both_names_of_the_API()
    {
        using GrpcChannel channel = CriClient.Connect(lab.Daemon.SocketPath);
        CallInvoker calls = channel.CreateCallInvoker();
        Marshaller<byte[]> raw = Marshallers.Create(static bytes => bytes, static bytes => bytes);
        foreach (string service in new[] { "runtime.v1.RuntimeService", "runtime.v1alpha2.RuntimeService" })
        {
            var method = new Method<byte[], byte[]>(MethodType.Unary, service, "RunPodSandbox", raw, raw);

            // Field 1 with a length that goes beyond the end, a tag with no end, a group that is never closed.
            foreach (byte[] bytes in new byte[][] { [0x0A, 0x7F, 0x00], [0xFF, 0xFF], [0x0B] })
            {
                await FailsAsync(StatusCode.InvalidArgument, "bytes could not be read", () => calls.AsyncUnaryCall(method, null, new CallOptions(cancellationToken: Token), bytes).ResponseAsync);
            }
        }
    }

    [Fact]
    public async Task A_seccomp_profile_that_is_no_file_is_refused_at_once_a_pipe_too()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string folder = Directory.CreateTempSubdirectory("vks-test-seccomp-").FullName;
        try
        {
            string pipe = Path.Combine(folder, "pipe");
            await Cli.Wrap("mkfifo").WithArguments([pipe]).ExecuteAsync(Token);
            foreach (string path in new[] { pipe, folder, "/dev/zero", Path.Combine(folder, "none") })
            {
                await FailsAsync(StatusCode.InvalidArgument, path, () => pod.CreateAsync(
                    Token,
                    config => config.Linux.SecurityContext = new LinuxContainerSecurityContext
                    {
                        Seccomp = new SecurityProfile { ProfileType = SecurityProfile.Types.ProfileType.Localhost, LocalhostRef = path },
                    },
                    "true").WaitAsync(TimeSpan.FromSeconds(20), Token));
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private Task<RunPodSandboxResponse> RunAsync(PodSandboxConfig config) =>
        lab.Cri.Runtime.RunPodSandboxAsync(new RunPodSandboxRequest { Config = config }, cancellationToken: Token).ResponseAsync;

    private Task<PullImageResponse> PullAsync(string image) =>
        lab.Cri.Images.PullImageAsync(new PullImageRequest { Image = new ImageSpec { Image = image } }, cancellationToken: Token).ResponseAsync;

    private static async Task FailsAsync(StatusCode code, string mentions, Func<Task> call)
    {
        RpcException failure = await Assert.ThrowsAsync<RpcException>(call);
        Assert.True(failure.StatusCode == code, $"expected {code}, got {failure.Status}");
        Assert.Contains(mentions, failure.Status.Detail, StringComparison.OrdinalIgnoreCase);
    }
}
