using System.Net;
using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Vks.Machines.V1;
using Vks.Supervisor.ControlPlane;
using Vks.Supervisor.Pki;

namespace Vks.Supervisor.Hosts;

/// <summary>A host that is reached by its Spherelet's machines API: a member there is a machine of its own, with a disk and an address on the management network.</summary>
/// <remarks>
/// Paths are those in the machine. What is put waits on the host for the machine's next start; a member's settings file says also what the machine
/// is to be. The machine is named after its member.
/// </remarks>
/// <param name="host">The host.</param>
/// <param name="settings">The control plane.</param>
/// <param name="pki">By which both sides know each other.</param>
/// <param name="time">The clock.</param>
internal sealed class SphereletMemberHost(HostSettings host, ControlPlaneSettings settings, SphereletPki pki, TimeProvider time) : IMemberHost, IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    /// <summary>A machine under software emulation on a busy host takes its time.</summary>
    private static readonly TimeSpan s_startLimit = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan s_stopLimit = TimeSpan.FromMinutes(3);

    private readonly Lazy<GrpcChannel> _channel = new(() => GrpcChannel.ForAddress(host.Spherelet, new GrpcChannelOptions
    {
        HttpHandler = Handler(pki),
        DisposeHttpClient = true,
    }));

    private Vks.Machines.V1.Machines.MachinesClient Machines => new(_channel.Value);

    /// <summary>Whether several members may be on it: each has a machine of its own.</summary>
    public bool TakesSeveral => host.HasMachines;

    /// <inheritdoc/>
    public async Task<AskedHost> AskAsync(HostQuestion question, CancellationToken cancellationToken)
    {
        DateTimeOffset begin = time.GetUtcNow();
        GetHostRequest request = new() { Link = question.Link };
        request.Probe.AddRange(question.Probe.Select(static address => address.ToString()));
        Vks.Machines.V1.Host found = await CallAsync("asking for its facts", s_limit, options => Machines.GetHostAsync(request, options), cancellationToken);
        HostFacts facts = new()
        {
            HostName = found.HostName,
            OwnNameAddresses = [.. found.OwnNameAddresses],
            Clock = DateTimeOffset.UnixEpoch + TimeSpan.FromTicks(found.ClockUnixNanoseconds / 100),
            ClockErrorSeconds = found.HasClockErrorSeconds ? found.ClockErrorSeconds : null,
            Mtu = found.HasMtu ? found.Mtu : null,
            LinkUp = found.LinkUp,
            // What follows is the machine's own, and new with it: filters and routes of the host do not come in between.
            RpFilter = 0,
            Routes = [],
            LinkAddresses = [.. found.LinkAddresses],
            Names = new Dictionary<string, string>(),
            Taken = found.Taken,
            MissingPrograms = [.. found.MissingFiles],
            Versions = Versions(question, found),
            FreeBytes = found.FreeBytes,
        };
        return new AskedHost(facts, begin, time.GetUtcNow());
    }

    /// <inheritdoc/>
    public async Task PutAsync(string path, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        (string member, string below) = Place(path);
        if (Path.GetFileName(below) == Path.GetFileName(ControlPlanePlan.SettingsName))
        {
            SetMachineRequest machine = new() { Name = member, Settings = Machine(path, MemberSettingsFile.ParseUnchecked(path, Encoding.UTF8.GetString(bytes.Span)).Address) };
            await CallAsync($"setting the machine {member}", s_limit, options => Machines.SetMachineAsync(machine, options), cancellationToken);
        }

        PutFileRequest request = new() { Name = member, Path = below, Content = UnsafeByteOperations.UnsafeWrap(bytes) };
        await CallAsync($"putting {path}", s_limit, options => Machines.PutFileAsync(request, options), cancellationToken);
    }

    /// <inheritdoc/>
    public Task StartAsync(string settingsFile, CancellationToken cancellationToken)
    {
        StartMachineRequest request = new() { Name = Place(settingsFile).Member };
        return CallAsync($"starting the machine {request.Name}", s_startLimit, options => Machines.StartMachineAsync(request, options), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task StopAsync(string settingsFile, CancellationToken cancellationToken)
    {
        StopMachineRequest request = new() { Name = Place(settingsFile).Member };
        if (await FindAsync(request.Name, cancellationToken) is not null)
        {
            await CallAsync($"stopping the machine {request.Name}", s_stopLimit, options => Machines.StopMachineAsync(request, options), cancellationToken);
        }
    }

    /// <summary>Removes the machine with its disk, and what waits for it; it does not run. One that is not there is no error.</summary>
    /// <param name="settingsFile">Its settings in the machine.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public Task RemoveAsync(string settingsFile, CancellationToken cancellationToken)
    {
        DeleteMachineRequest request = new() { Name = Place(settingsFile).Member };
        return CallAsync($"deleting the machine {request.Name}", s_limit, options => Machines.DeleteMachineAsync(request, options), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<MemberState?> StateAsync(string settingsFile, CancellationToken cancellationToken)
    {
        (string name, string below) = Place(settingsFile);
        if (await FindAsync(name, cancellationToken) is not { ShouldRun: true } machine)
        {
            return null;
        }

        if (machine.Phase == MachinePhase.Running)
        {
            ReadFileRequest request = new() { Name = name, Path = $"{Path.GetDirectoryName(below)}/run/state.json" };
            try
            {
                ReadFileResponse file = await CallAsync($"reading {request.Path}", s_limit, options => Machines.ReadFileAsync(request, options), cancellationToken);
                if (file.HasContent)
                {
                    return JsonSerializer.Deserialize(file.Content.Span, MemberStateJson.Default.MemberState);
                }
            }
            catch (SupervisorException problem) when (problem.InnerException is RpcException { StatusCode: StatusCode.FailedPrecondition or StatusCode.Unavailable })
            {
                // It ends in this moment.
            }
        }

        return Silent(name, machine);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_channel.IsValueCreated)
        {
            _channel.Value.Dispose();
        }
    }

    /// <summary>Programs lie in the image; the Spherelet knows them by name alone.</summary>
    private static Dictionary<string, string> Versions(HostQuestion question, Vks.Machines.V1.Host found) =>
        question.Versions.Where(program => found.Versions.ContainsKey(Path.GetFileName(program))).ToDictionary(static program => program, program => found.Versions[Path.GetFileName(program)], StringComparer.Ordinal);

    /// <summary>What is known of a member that has not said anything yet.</summary>
    private static MemberState Silent(string name, Vks.Machines.V1.Machine machine)
    {
        DateTimeOffset since = DateTimeOffset.UnixEpoch + TimeSpan.FromTicks(machine.SinceUnixNanoseconds / 100);
        string why = machine.Phase == MachinePhase.Running
            ? "its machine runs, and the member has said nothing yet"
            : $"its machine is {machine.Phase.ToString().ToLowerInvariant()}{(machine.LastEnd.Length == 0 ? "" : $"; before: {machine.LastEnd}")}";
        return new MemberState
        {
            Name = name,
            At = since,
            ProcessId = 0,
            Ready = false,
            Why = why,
            HasFloatingAddress = false,
            FloatingAddressHolder = null,
            Etcd = new EtcdState(false, false, "", 0, why, []),
            Programs = [],
            CertificatesEnd = since,
            ProgramsFolder = "",
        };
    }

    /// <summary>A client's connections to a Spherelet's machines API.</summary>
    /// <param name="pki">By which both sides know each other.</param>
    public static SocketsHttpHandler Handler(SphereletPki pki)
    {
        // A start lasts for minutes, and a host that is busy with it answers late: its silence is no sign that it was cut off.
        SocketsHttpHandler handler = MutualTls.Client(pki.AuthorityFile, pki.ClientPlace);
        handler.ConnectTimeout = TimeSpan.FromSeconds(10);
        handler.KeepAlivePingDelay = TimeSpan.FromSeconds(15);
        handler.KeepAlivePingTimeout = TimeSpan.FromSeconds(20);
        return handler;
    }

    private MachineSettings Machine(string settingsFile, IPAddress address)
    {
        MachineSettings machine = new()
        {
            Vcpus = settings.Machine.VcpuCount,
            MemoryMib = settings.Machine.MemoryMiB,
            DiskMib = settings.Machine.DiskMiB,
            Link = settings.Link,
            Gateway = settings.Gateway?.ToString() ?? "",
            SettingsFile = settingsFile,
        };
        machine.Addresses.Add($"{address}/{settings.Prefix}");
        return machine;
    }

    private async Task<Vks.Machines.V1.Machine?> FindAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            return await CallAsync($"looking for the machine {name}", s_limit, options => Machines.GetMachineAsync(new GetMachineRequest { Name = name }, options), cancellationToken);
        }
        catch (SupervisorException problem) when (problem.InnerException is RpcException { StatusCode: StatusCode.NotFound })
        {
            return null;
        }
    }

    /// <summary>The member's name and the path below its machine's disk.</summary>
    private (string Member, string Below) Place(string path)
    {
        string below = path.StartsWith(SphereletPlaces.Directory + "/", StringComparison.Ordinal) ? path[(SphereletPlaces.Directory.Length + 1)..] : "";
        string[] parts = below.Split('/');
        return parts.Length >= 2
            ? (parts[0], below)
            : throw new SupervisorException(SupervisorFault.Host, $"host {host.Name}: {path} is not below {SphereletPlaces.Directory}/MEMBER, where a member's files are in its machine");
    }

    private async Task<T> CallAsync<T>(string what, TimeSpan limit, Func<CallOptions, AsyncUnaryCall<T>> call, CancellationToken cancellationToken)
    {
        CallOptions options = new(deadline: (time.GetUtcNow() + limit).UtcDateTime, cancellationToken: cancellationToken);
        try
        {
            return await call(options);
        }
        catch (RpcException problem) when (problem.StatusCode == StatusCode.Cancelled && cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(problem.Message, problem, cancellationToken);
        }
        catch (RpcException problem)
        {
            // The class library wraps what happened below it; the innermost says it best.
            Exception cause = problem.GetBaseException();
            string came = cause == problem ? problem.Status.Detail : $"{problem.Status.Detail} ({cause.Message})";
            string advice = problem.StatusCode == StatusCode.Unavailable && problem.Trailers.Count == 0 && cause != problem
                ? ". Do: see that the Spherelet runs there with --machines-address, and that its certificates are those of 'supervisor host certificate'"
                : "";
            throw new SupervisorException(SupervisorFault.Host, $"host {host.Name}, {what} at {host.Spherelet}: {problem.StatusCode}: {came}{advice}", problem);
        }
    }
}
