using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Net.Client;
using Vks.Spherelet.Cri.V1;
using Vks.Spherelet.Protos;
using Vks.Tests.Kit;

namespace Vks.Tests.Fuzz;

/// <summary>Sends requests that nobody would send to a real daemon with real pods, undoes what succeeds, and notes what an answer should not be.</summary>
internal sealed class CriFuzzer : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    /// <summary>Calls by weight; those that boot machines or go to a registry are rare.</summary>
    private static readonly Dictionary<string, int> s_weights = new(StringComparer.Ordinal)
    {
        ["CreateContainer"] = 60, ["RunPodSandbox"] = 12, ["PullImage"] = 4, ["StopPodSandbox"] = 4, ["RemovePodSandbox"] = 4, ["GetContainerEvents"] = 4,
        ["UpdateContainerResources"] = 30, ["ExecSync"] = 20, ["StartContainer"] = 12, ["CheckpointContainer"] = 1, ["CheckpointPod"] = 1, ["RestorePod"] = 1,
    };

    /// <summary>Calls that may be given only what may be stopped, changed or removed.</summary>
    private static readonly HashSet<string> s_changing = new(StringComparer.Ordinal)
    {
        "StopPodSandbox", "RemovePodSandbox", "StopContainer", "RemoveContainer", "UpdateContainerResources", "UpdatePodSandboxResources", "ExecSync",
        "StartContainer", "CreateContainer", "RemoveImage", "Exec", "Attach", "PortForward", "CheckpointContainer", "CheckpointPod", "RestorePod",
    };

    private static readonly Marshaller<byte[]> s_bytes = Marshallers.Create(static bytes => bytes, static bytes => bytes);

    private readonly NodeLab _lab;
    private readonly FuzzTexts _texts;
    private readonly GrpcChannel _channel;
    private readonly CallInvoker _calls;
    private readonly (MethodDescriptor Method, int Weight)[] _methods;

    public CriFuzzer(NodeLab lab, string folder)
    {
        _lab = lab;
        _texts = new FuzzTexts(folder, lab.Image);
        _channel = CriClient.Connect(lab.Daemon.SocketPath);
        _calls = _channel.CreateCallInvoker();
        ServiceDescriptor[] services = [RuntimeService.Descriptor, ImageService.Descriptor];
        _methods = [.. services.SelectMany(service => service.Methods).Select(method => (method, s_weights.GetValueOrDefault(method.Name, 10)))];
    }

    /// <summary>How often each call was answered with what.</summary>
    public ConcurrentDictionary<(string Call, StatusCode Code), int> Counts { get; } = new();

    /// <summary>Answers that should not be, one of each kind, with the seed that made it.</summary>
    public Dictionary<string, string> Faults { get; } = new(StringComparer.Ordinal);

    /// <summary>The longest time of each call.</summary>
    public ConcurrentDictionary<string, TimeSpan> Slowest { get; } = new();

    private PodUnderTest? Victim { get; set; }

    private string Running { get; set; } = "";

    private string Created { get; set; } = "";

    /// <summary>Sends one request.</summary>
    /// <param name="seed">Makes it.</param>
    /// <param name="bystanders">Ids that must not be touched.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task StepAsync(int seed, IReadOnlyList<string> bystanders, CancellationToken cancellationToken)
    {
        await EnsureVictimAsync(cancellationToken);
        var random = new Random(seed);
        MethodDescriptor method = Pick(random);
        _texts.Pods = [Victim!.Id];
        _texts.Containers = [Running, Created];
        _texts.Others = s_changing.Contains(method.Name) ? [] : bystanders;
        var fuzzer = new MessageFuzzer(random, _texts.For);
        IMessage request = random.Next(4) == 0 ? fuzzer.Make(method.InputType) : Sample(method, random);
        if (random.Next(8) != 0)
        {
            fuzzer.Mutate(request);
        }

        byte[] wire = fuzzer.Encode(request);
        if (s_changing.Contains(method.Name) && Touches(method, wire, bystanders))
        {
            return;
        }

        (StatusCode code, string detail, byte[] answer) = await CallAsync(method, wire, former: random.Next(10) == 0, cancellationToken);
        Counts.AddOrUpdate((method.Name, code), 1, (_, count) => count + 1);
        if (IsFault(method.Name, code, detail))
        {
            string shape = $"{method.Name} {code} {System.Text.RegularExpressions.Regex.Replace(detail, "[0-9a-f]{12,}|[0-9]+", "#")}";
            Faults.TryAdd(shape.Length < 200 ? shape : shape[..200], $"seed {seed}: {method.Name} answered {code}: {detail}\n  {Short(request)}");
        }

        try
        {
            await UndoAsync(method.Name, code, answer, cancellationToken);
        }
        catch (RpcException failure)
        {
            // What was made stays, and the pod with it is made anew.
            Faults.TryAdd($"undo {method.Name} {failure.StatusCode}", $"seed {seed}: what {method.Name} made cannot be removed: {failure.Status}\n  {Short(request)}");
            await Victim.DisposeAsync();
            Victim = null;
        }
    }

    /// <summary>A pod that was asked for rightly; a host that is too busy to boot it in time is asked again.</summary>
    public static async Task<PodUnderTest> RunAsync(NodeLab lab, CancellationToken cancellationToken)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                return await PodUnderTest.RunAsync(lab, cancellationToken);
            }
            catch (RpcException busy) when (tries < 10 && IsBusy(busy.StatusCode, busy.Status.Detail))
            {
                Assert.True(busy.StatusCode == StatusCode.Unavailable);
            }
        }
    }

    /// <summary>Removes the victims.</summary>
    public async Task EndAsync()
    {
        if (Victim is not null)
        {
            await Victim.DisposeAsync();
        }
    }

    public void Dispose() => _channel.Dispose();

    private static bool IsBusy(StatusCode code, string detail) =>
        code == StatusCode.Unavailable && detail.Contains("for the agent and was given up", StringComparison.Ordinal);

    private static bool IsFault(string call, StatusCode code, string detail) => code switch
    {
        _ when IsBusy(code, detail) => false,
        StatusCode.OK or StatusCode.InvalidArgument or StatusCode.NotFound or StatusCode.FailedPrecondition or StatusCode.AlreadyExists or StatusCode.ResourceExhausted or StatusCode.OutOfRange => false,
        StatusCode.Unimplemented => !call.StartsWith("Checkpoint", StringComparison.Ordinal) && call != "RestorePod" && !call.Contains("Stats", StringComparison.Ordinal) && !call.Contains("Metric", StringComparison.Ordinal),
        StatusCode.DeadlineExceeded => !(call == "ExecSync" && detail.Contains("ran longer", StringComparison.Ordinal)),
        StatusCode.Unavailable or StatusCode.Unauthenticated or StatusCode.PermissionDenied => call != "PullImage",
        StatusCode.Cancelled => call != "GetContainerEvents",
        _ => true,
    };

    private static string Short(IMessage request)
    {
        string text = request.ToString() ?? "";
        return text.Length <= 1500 ? text : text[..1500] + "…";
    }

    /// <summary>Whether an id in it is, or begins that of, somebody else's.</summary>
    private bool Touches(MethodDescriptor method, byte[] wire, IReadOnlyList<string> bystanders)
    {
        IMessage read;
        try
        {
            read = method.InputType.Parser.ParseFrom(wire);
        }
        catch (InvalidProtocolBufferException)
        {
            return false;
        }

        if (read is RemoveImageRequest remove)
        {
            return remove.Image is not null && (_lab.Image.StartsWith(remove.Image.Image.Split('@')[0], StringComparison.Ordinal) || !remove.Image.Image.Contains('/', StringComparison.Ordinal));
        }

        string[] ids = [.. new[] { "container_id", "pod_sandbox_id" }.Select(name => method.InputType.FindFieldByName(name)).OfType<FieldDescriptor>()
            .Select(field => (string)field.Accessor.GetValue(read)).Where(id => id.Length > 0)];
        return bystanders.Any(other => ids.Any(id => other.StartsWith(id, StringComparison.Ordinal)));
    }

    private MethodDescriptor Pick(Random random)
    {
        int at = random.Next(_methods.Sum(one => one.Weight));
        foreach ((MethodDescriptor method, int weight) in _methods)
        {
            at -= weight;
            if (at < 0)
            {
                return method;
            }
        }

        throw new UnreachableException();
    }

    /// <summary>A request that would succeed.</summary>
    private IMessage Sample(MethodDescriptor method, Random random)
    {
        PodSandboxConfig pod = PodUnderTest.NewConfig(_lab);
        var container = new ContainerConfig
        {
            Metadata = new ContainerMetadata { Name = "f" + random.Next(1000).ToString(CultureInfo.InvariantCulture) }, Image = new ImageSpec { Image = _lab.Image },
            Command = { "sleep", "1000" }, LogPath = "f/0.log",
            Linux = new LinuxContainerConfig { Resources = new LinuxContainerResources { CpuShares = 512, MemoryLimitInBytes = 64 << 20 }, SecurityContext = new LinuxContainerSecurityContext { NamespaceOptions = new NamespaceOption() } },
        };
        switch (method.Name)
        {
            case "RunPodSandbox":
                pod.Linux.SecurityContext = new LinuxSandboxSecurityContext { NamespaceOptions = new NamespaceOption() };
                pod.Linux.Resources = new LinuxContainerResources { MemoryLimitInBytes = 128 << 20 };
                pod.DnsConfig = new DNSConfig { Servers = { "10.0.0.1" }, Searches = { "a.b" } };
                pod.Labels["a"] = "b";
                return new RunPodSandboxRequest { Config = pod };
            case "CreateContainer":
                container.Envs.Add(new KeyValue { Key = "A", Value = ByteString.CopyFromUtf8("b") });
                container.Mounts.Add(new Mount { ContainerPath = "/m", HostPath = Path.Combine(_lab.Directory, "fuzz") });
                return new CreateContainerRequest { PodSandboxId = Victim!.Id, Config = container, SandboxConfig = Victim.Config.Clone() };
            case "UpdateContainerResources":
                return new UpdateContainerResourcesRequest { ContainerId = random.Next(2) == 0 ? Running : Created, Linux = new LinuxContainerResources { CpuShares = 100, MemoryLimitInBytes = 100 << 20, Unified = { ["pids.max"] = "100" } } };
            case "UpdatePodSandboxResources":
                return new UpdatePodSandboxResourcesRequest { PodSandboxId = Victim!.Id, Resources = new LinuxContainerResources { CpuShares = 100, MemoryLimitInBytes = 200 << 20 }, Overhead = new LinuxContainerResources() };
            case "ExecSync":
                return new ExecSyncRequest { ContainerId = Running, Cmd = { "true" }, Timeout = 5 };
            case "Exec":
                return new ExecRequest { ContainerId = Running, Cmd = { "true" }, Stdout = true };
            case "Attach":
                return new AttachRequest { ContainerId = Running, Stdout = true };
            case "PortForward":
                return new PortForwardRequest { PodSandboxId = Victim!.Id, Port = { 80 } };
            case "ListContainers":
                return new ListContainersRequest { Filter = new ContainerFilter { Id = Running, State = new ContainerStateValue(), LabelSelector = { ["a"] = "b" } } };
            case "ListPodSandbox":
                return new ListPodSandboxRequest { Filter = new PodSandboxFilter { Id = Victim!.Id, State = new PodSandboxStateValue(), LabelSelector = { ["a"] = "b" } } };
            case "PullImage":
                return new PullImageRequest { Image = new ImageSpec { Image = _lab.Image }, Auth = new AuthConfig() };
            case "ImageStatus":
                return new ImageStatusRequest { Image = new ImageSpec { Image = _lab.Image }, Verbose = true };
            case "UpdateRuntimeConfig":
                return new UpdateRuntimeConfigRequest { RuntimeConfig = new RuntimeConfig { NetworkConfig = new NetworkConfig { PodCidr = "10.0.0.0/24" } } };
            default:
                IMessage request = method.InputType.Parser.ParseFrom([]);
                method.InputType.FindFieldByName("container_id")?.Accessor.SetValue(request, method.Name == "StartContainer" ? Created : Running);
                method.InputType.FindFieldByName("pod_sandbox_id")?.Accessor.SetValue(request, Victim!.Id);
                return request;
        }
    }

    private async Task<(StatusCode Code, string Detail, byte[] Answer)> CallAsync(MethodDescriptor method, byte[] wire, bool former, CancellationToken cancellationToken)
    {
        bool endless = method.Name == "GetContainerEvents";
        string service = former ? method.Service.FullName.Replace("runtime.v1.", "runtime.v1alpha2.", StringComparison.Ordinal) : method.Service.FullName;
        var call = new Method<byte[], byte[]>(method.IsServerStreaming ? MethodType.ServerStreaming : MethodType.Unary, service, method.Name, s_bytes, s_bytes);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(endless ? TimeSpan.FromMilliseconds(50) : s_limit);
        long begin = Stopwatch.GetTimestamp();
        try
        {
            byte[] answer = [];
            if (method.IsServerStreaming)
            {
                using AsyncServerStreamingCall<byte[]> stream = _calls.AsyncServerStreamingCall(call, null, new CallOptions(cancellationToken: patience.Token), wire);
                while (await stream.ResponseStream.MoveNext(patience.Token))
                {
                    answer = stream.ResponseStream.Current;
                }
            }
            else
            {
                answer = await _calls.AsyncUnaryCall(call, null, new CallOptions(cancellationToken: patience.Token), wire);
            }

            return (StatusCode.OK, "", answer);
        }
        catch (RpcException failure)
        {
            return (failure.StatusCode, failure.Status.Detail, []);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (StatusCode.Cancelled, "no answer in time", []);
        }
        finally
        {
            TimeSpan took = Stopwatch.GetElapsedTime(begin);
            Slowest.AddOrUpdate(method.Name, took, (_, before) => before > took ? before : took);
        }
    }

    private async Task UndoAsync(string call, StatusCode code, byte[] answer, CancellationToken cancellationToken)
    {
        if (code != StatusCode.OK)
        {
            return;
        }

        switch (call)
        {
            case "RunPodSandbox":
                string pod = RunPodSandboxResponse.Parser.ParseFrom(answer).PodSandboxId;
                await _lab.Cri.Runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = pod }, cancellationToken: cancellationToken);
                await _lab.Cri.Runtime.RemovePodSandboxAsync(new RemovePodSandboxRequest { PodSandboxId = pod }, cancellationToken: cancellationToken);
                break;
            case "CreateContainer":
                string container = CreateContainerResponse.Parser.ParseFrom(answer).ContainerId;
                (StatusCode started, string detail, _) = await CallAsync(
                    RuntimeService.Descriptor.FindMethodByName("StartContainer"), new StartContainerRequest { ContainerId = container }.ToByteArray(), former: false, cancellationToken);
                Counts.AddOrUpdate(("StartContainer", started), 1, (_, count) => count + 1);
                if (IsFault("StartContainer", started, detail))
                {
                    ContainerStatus status = (await _lab.Cri.Runtime.ContainerStatusAsync(new ContainerStatusRequest { ContainerId = container }, cancellationToken: cancellationToken)).Status;
                    Faults.TryAdd($"start {started} {System.Text.RegularExpressions.Regex.Replace(detail, "[0-9a-f]{12,}|[0-9]+", "#")}", $"StartContainer answered {started}: {detail}\n  {Short(status)}");
                }

                await _lab.Cri.Runtime.RemoveContainerAsync(new RemoveContainerRequest { ContainerId = container }, cancellationToken: cancellationToken);
                break;
            default:
                break;
        }
    }

    private async Task EnsureVictimAsync(CancellationToken cancellationToken)
    {
        if (Victim is null || !await IsAsync(Victim))
        {
            if (Victim is not null)
            {
                await Victim.DisposeAsync();
            }

            Victim = await RunAsync(_lab, cancellationToken);
            (Running, Created) = ("", "");
        }

        if (!await IsInAsync(Running, ContainerState.ContainerRunning))
        {
            Running = await RenewAsync(Running);
            await _lab.Cri.Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = Running }, cancellationToken: cancellationToken);
        }

        if (!await IsInAsync(Created, ContainerState.ContainerCreated))
        {
            Created = await RenewAsync(Created);
        }

        async Task<bool> IsAsync(PodUnderTest pod) =>
            (await _lab.Cri.Runtime.ListPodSandboxAsync(new ListPodSandboxRequest { Filter = new PodSandboxFilter { Id = pod.Id } }, cancellationToken: cancellationToken))
                .Items.Any(one => one.State == PodSandboxState.SandboxReady);

        async Task<bool> IsInAsync(string id, ContainerState state) => id.Length > 0
            && (await _lab.Cri.Runtime.ListContainersAsync(new ListContainersRequest { Filter = new ContainerFilter { Id = id } }, cancellationToken: cancellationToken))
                .Containers.Any(one => one.State == state);

        async Task<string> RenewAsync(string id)
        {
            if (id.Length > 0)
            {
                await _lab.Cri.Runtime.RemoveContainerAsync(new RemoveContainerRequest { ContainerId = id }, cancellationToken: cancellationToken);
            }

            return await Victim!.CreateAsync(cancellationToken, null, "sleep", "100000");
        }
    }
}
