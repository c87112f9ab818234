using System.Net;
using Vks.Supervisor.Etcd;
using Vks.Supervisor.FloatingAddress;
using Vks.Supervisor.Pki;

namespace Vks.Supervisor.ControlPlane;

/// <summary>One member of the control plane: etcd, kube-apiserver, kube-controller-manager and kube-scheduler on one host, and the floating address when it is this member's turn.</summary>
/// <remarks>
/// Started from the bottom up: certificates, own address, etcd, then what needs etcd, then what needs the API; ended in the opposite order, the
/// floating address first, so that another member has it before this one stops to serve. A member that is to leave ends all but etcd so.
/// </remarks>
/// <param name="settings">What it is told.</param>
/// <param name="time">The clock.</param>
/// <param name="loggers">Makes the logs.</param>
internal sealed partial class Member(MemberSettings settings, TimeProvider time, ILoggerFactory loggers) : IDisposable
{
    private static readonly TimeSpan s_upkeep = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_report = TimeSpan.FromSeconds(1);

    private readonly ILogger<Member> _logger = loggers.CreateLogger<Member>();
    private readonly ManagementAddress _address = new(settings, time, loggers.CreateLogger<ManagementAddress>());
    private readonly CertificateStore _certificates = new(settings.PkiDirectory, TimeSpan.FromDays(settings.CertificateDays), time);
    private readonly MemberPlacement? _placement = settings.Placement is null ? null : new MemberPlacement(settings, time);
    private readonly SemaphoreSlim _renew = new(0);

    /// <summary>UTC ticks. Kept, for reading all certificates each second was a good part of what a member in an emulated machine did.</summary>
    private long _certificatesEnd;

    /// <summary>Makes all certificates anew, soon. Programs read them again by themselves.</summary>
    public void RenewCertificates() => _renew.Release();

    /// <summary>Runs the member until it is told to stop.</summary>
    /// <param name="stop">Tells it to stop.</param>
    /// <exception cref="SupervisorException">It cannot start, or cannot go on; nothing of it runs any more.</exception>
    public async Task RunAsync(CancellationToken stop)
    {
        foreach (string folder in new[] { settings.Directory, settings.PkiDirectory, settings.LogDirectory, settings.RunDirectory, settings.EtcdDirectory })
        {
            PrivateFiles.MakeFolder(folder);
        }

        using FileStream only = MemberLock.Take(settings);
        MemberProcess.RecordOf(settings).Write(Environment.ProcessId);
        await _address.EnsureAsync(stop);
        EnsureCertificates(all: false);
        AuditPolicy.Write(settings);
        if (_placement is not null)
        {
            _placement.EnsureCertificates();
            _placement.WriteSchedulerConfig(await ProgramVersion.OfAsync(settings.Programs, stop));
        }

        using LaunchThread launcher = new();
        using EtcdConnection etcd = new(IPAddress.Loopback, MemberSettings.EtcdPort, settings.PkiDirectory);
        SupervisedProgram apiServer = Program(MemberPrograms.PlanApiServer(settings, EmulatedProcessor.IsHere), launcher);
        using ApiServerProbe api = new(settings, apiServer, time);
        EtcdProbe store = new(etcd, time);
        Parts parts = new(
            Program(MemberPrograms.PlanEtcd(settings), launcher), apiServer,
            Program(MemberPrograms.PlanControllerManager(settings), launcher), Program(MemberPrograms.PlanScheduler(settings), launcher),
            settings.Placement is null ? null : Program(MemberPrograms.PlanSupervisor(settings, Environment.ProcessPath!), launcher),
            api, store, Keeper(etcd, api, store));
        if (parts.Keeper is { } keeper)
        {
            await keeper.ClearAsync();
        }

        await RunPartsAsync(parts, stop);
        await _address.RemoveAsync();
        Stopped(settings.Name);
    }

    /// <inheritdoc/>
    public void Dispose() => _renew.Dispose();

    private async Task RunPartsAsync(Parts parts, CancellationToken stop)
    {
        await using PartStack running = new();
        running.Start("upkeep", token => KeepUpAsync(parts, token));
        running.Start("report", token => ReportAsync(parts, token));
        running.Start(MemberPrograms.Etcd, parts.Etcd.RunAsync);
        running.Start("the probe of etcd", parts.EtcdProbe.RunAsync);
        if (!await HappensAsync(parts.EtcdProbe.FirstServes, running, stop))
        {
            return;
        }

        int store = running.Count;
        running.Start(MemberPrograms.ApiServer, parts.ApiServer.RunAsync);
        running.Start("the probe of kube-apiserver", parts.ApiProbe.RunAsync);
        if (!await HappensAsync(parts.ApiProbe.FirstReady, running, stop))
        {
            return;
        }

        Ready(settings.Name, settings.Address, MemberSettings.ApiPort);
        running.Start(MemberPrograms.ControllerManager, parts.ControllerManager.RunAsync);
        running.Start(MemberPrograms.Scheduler, parts.Scheduler.RunAsync);
        if (parts.Supervisor is { } supervisor)
        {
            running.Start(MemberPrograms.Supervisor, supervisor.RunAsync);
        }

        if (parts.Keeper is { } keeper)
        {
            running.Start("the keeper of the floating address", keeper.RunAsync);
            if (!await HappensAsync(keeper.Leaving, running, stop))
            {
                return;
            }

            // Its API server says goodbye to clients while it can still write; etcd votes until it is taken out, for without it there may be no majority.
            Leaves(settings.Name);
            await running.EndAsync(store);
        }

        await HappensAsync(Task.Delay(Timeout.InfiniteTimeSpan, time, stop), running, stop);
    }

    /// <summary>True when it happened; false when the member is to stop before.</summary>
    /// <exception cref="SupervisorException">A part has failed.</exception>
    private async Task<bool> HappensAsync(Task what, PartStack running, CancellationToken stop)
    {
        Task stopped = Task.Delay(Timeout.InfiniteTimeSpan, time, stop);
        Task first = await Task.WhenAny(what, running.Failed, stopped);
        if (first == running.Failed)
        {
            Exception problem = await running.Failed;
            throw problem as SupervisorException ?? new SupervisorException(SupervisorFault.Host, $"member {settings.Name} cannot go on: {problem.Message}", problem);
        }

        return first == what && !stop.IsCancellationRequested;
    }

    private SupervisedProgram Program(ProgramPlan plan, LaunchThread launcher) => new(plan, settings, launcher, time, loggers.CreateLogger<SupervisedProgram>());

    private FloatingAddressKeeper? Keeper(EtcdConnection etcd, ApiServerProbe api, EtcdProbe store) => settings.FloatingAddress is not { } address
        ? null
        : new FloatingAddressKeeper(
            new KeeperSettings(settings.Name, settings.Link, address), new ClaimStore(etcd, settings.Cluster, settings.Name, time), new LinkAddress(settings.Link, address, time),
            () => HolderRule.MayHold(api.IsReady, store.State.IsOnlyVoter), time, loggers.CreateLogger<FloatingAddressKeeper>());

    /// <summary>Makes the certificates that are missing or old.</summary>
    /// <returns>The names of those that were made.</returns>
    private List<string> EnsureCertificates(bool all)
    {
        List<string> made = [];
        IReadOnlyList<CertificateWanted> wanted = MemberCertificates.Of(settings, _address.OnLink);
        foreach ((string name, string why) in _certificates.Ensure(wanted, all))
        {
            CertificateMade(name, why);
            made.Add(name);
        }

        Volatile.Write(ref _certificatesEnd, _certificates.FirstEnd(MemberCertificates.Of(settings, [])).UtcTicks);
        Kubeconfig.WriteAll(settings);
        return made;
    }

    /// <summary>As <see cref="EnsureCertificates"/>; the Supervisor and the scheduler's way to it read theirs only when they start.</summary>
    private async Task RenewAsync(Parts parts, bool all)
    {
        bool own = EnsureCertificates(all).Contains(MemberCertificates.Supervisor);
        bool between = _placement?.EnsureCertificates() == true;
        if (parts.Supervisor is { } supervisor && (own || between))
        {
            await supervisor.RestartAsync("it has new certificates");
        }

        if (between)
        {
            await parts.Scheduler.RestartAsync("it has new certificates for the placement service");
        }
    }

    private async Task KeepUpAsync(Parts parts, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            bool asked = await _renew.WaitAsync(s_upkeep, stop);
            try
            {
                await RenewAsync(parts, asked);
                foreach (SupervisedProgram program in parts.Programs)
                {
                    program.Log.Trim(LogFile.MaxBytes);
                }
            }
            catch (Exception problem) when (problem is SupervisorException or IOException or UnauthorizedAccessException)
            {
                // A full disk, for one: what runs goes on with what it has, and the next minute may be better.
                UpkeepFailed(settings.Name, problem.Message);
            }
        }
    }

    private async Task ReportAsync(Parts parts, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                Report(parts).Write(MemberState.PathIn(settings));
            }
            catch (IOException problem)
            {
                // A full disk must not end a member that might serve nevertheless.
                UpkeepFailed(settings.Name, problem.Message);
            }

            await Task.Delay(s_report, time, stop);
        }
    }

    private MemberState Report(Parts parts) => new()
    {
        Name = settings.Name,
        At = time.GetUtcNow(),
        ProcessId = Environment.ProcessId,
        Ready = parts.ApiProbe.IsReady,
        Why = parts.ApiProbe.Why,
        HasFloatingAddress = parts.Keeper?.Has ?? false,
        FloatingAddressHolder = parts.Keeper?.Holder,
        Etcd = parts.EtcdProbe.State,
        Programs = [.. parts.Programs.Select(static program => program.State)],
        CertificatesEnd = new DateTimeOffset(Volatile.Read(ref _certificatesEnd), TimeSpan.Zero),
        ProgramsFolder = settings.Programs,
        Cluster = settings.Cluster,
        Host = Environment.MachineName,
        Zone = settings.Zone,
        Address = settings.Address.ToString(),
        KubernetesVersion = parts.ApiProbe.Version,
        Leaving = parts.Keeper?.Leaving.IsCompleted ?? false,
    };

    [LoggerMessage(4020, LogLevel.Information, "Member {Name}: serves the API on {Address}:{Port}")]
    private partial void Ready(string name, IPAddress address, int port);

    [LoggerMessage(4021, LogLevel.Information, "Member {Name}: stopped")]
    private partial void Stopped(string name);

    [LoggerMessage(4022, LogLevel.Information, "Certificate {Certificate}: made ({Why})")]
    private partial void CertificateMade(string certificate, string why);

    [LoggerMessage(4023, LogLevel.Warning, "Member {Name}: keeping up its files failed: {Problem}")]
    private partial void UpkeepFailed(string name, string problem);

    [LoggerMessage(4024, LogLevel.Information, "Member {Name}: is to leave; it serves the API no longer, and its etcd goes on until the end")]
    private partial void Leaves(string name);

    /// <summary>What runs in a member.</summary>
    private sealed record Parts(
        SupervisedProgram Etcd, SupervisedProgram ApiServer, SupervisedProgram ControllerManager, SupervisedProgram Scheduler, SupervisedProgram? Supervisor,
        ApiServerProbe ApiProbe, EtcdProbe EtcdProbe, FloatingAddressKeeper? Keeper)
    {
        public IEnumerable<SupervisedProgram> Programs => Supervisor is null ? [Etcd, ApiServer, ControllerManager, Scheduler] : [Etcd, ApiServer, ControllerManager, Scheduler, Supervisor];
    }
}
