using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;
using Vks.Supervisor.Kubernetes;
using Vks.Supervisor.Namespaces;
using Vks.Supervisor.Placement;
using Vks.Supervisor.Supervisors;

namespace Vks.Supervisor;

/// <summary><c>supervisor run</c>: the placement service, and the controllers while this Supervisor leads.</summary>
internal static class RunVerb
{
    /// <summary>Where the leader's Lease is.</summary>
    private const string LeaseSpace = "vks-system";

    private const string LeaseName = "supervisor";

    /// <summary>The verb.</summary>
    public static Command Command()
    {
        Option<string?> kubeconfig = InstallVerb.KubeconfigOption();
        Option<string> identity = new("--identity")
        {
            Description = "Name in the leader's Lease, another one for each Supervisor of a cluster",
            DefaultValueFactory = static _ => Environment.MachineName,
        };
        Option<string> address = new("--service-address") { Description = "Where kube-scheduler and kube-apiserver ask", DefaultValueFactory = static _ => SchedulerConfig.DefaultAddress };
        Option<string> certificates = SchedulerConfig.CertificatesOption();
        Option<string?> member = new("--member-state") { Description = "State file of the member on this host (DIRECTORY/run/state.json of its settings): it is told to the others, for the object Supervisor" };
        Command command = new("run", "Keeps hosts, zones and namespaces as they should be, and places pods") { kubeconfig, identity, address, certificates, member };
        command.SetAction(async (parsed, _) =>
        {
            if (!IPEndPoint.TryParse(parsed.GetValue(address)!, out IPEndPoint? endpoint) || endpoint.Port == 0)
            {
                throw new SupervisorException(SupervisorFault.Settings, $"--service-address {parsed.GetValue(address)}: give an address and a port, as {SchedulerConfig.DefaultAddress}.");
            }

            using CancellationTokenSource stop = new();
            using PosixSignalRegistration term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
            using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
            using ApiClient api = ApiClient.Open(parsed.GetValue(kubeconfig));
            ServiceCertificates files = new(parsed.GetValue(certificates)!, TimeProvider.System);
            files.Ensure();
            await RunAsync(api, parsed.GetValue(identity)!, endpoint, files, parsed.GetValue(member), stop.Token);
            return 0;

            void Stop(PosixSignalContext context)
            {
                context.Cancel = true;
                stop.Cancel();
            }
        });
        return command;
    }

    private static async Task RunAsync(
        ApiClient api, string identity, IPEndPoint endpoint, ServiceCertificates certificates, string? memberState, CancellationToken cancellationToken)
    {
        using ILoggerFactory log = LoggerFactory.Create(static builder => builder.AddFilter("Microsoft", LogLevel.Warning).AddSimpleConsole(static console =>
        {
            console.SingleLine = true;
            console.UseUtcTimestamp = true;
            console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
        }));
        TimeProvider time = TimeProvider.System;
        ClusterView view = new(api, time, log.CreateLogger<ClusterView>());
        EventRecorder events = new(api, "vks-supervisor", time, log.CreateLogger<EventRecorder>());
        Controllers controllers = new(view, api, events, time, log.CreateLogger<Controllers>());
        LeaderLease lease = new(api, LeaseSpace, LeaseName, identity, time, log.CreateLogger<LeaderLease>());
        await Console.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"supervisor {CommandLine.Version} of {api.Server} as {identity}"));
        try
        {
            PlacementBook book = new(view, time);
            PlacementService placement = new(view, book, api, log.CreateLogger<PlacementService>());
            view.Pods.Changed += placement.Forget;
            ServiceHost service = new(endpoint, certificates, placement, new PodAdmission(view, book), new NamespaceAdmission(api), log);
            Func<CancellationToken, Task>[] reports = memberState is null ? [] : [new MemberReporter(api, memberState, () => service.Serves, time, log.CreateLogger<MemberReporter>()).RunAsync];
            await WhenAnyFailsAsync(
                cancellationToken,
                [.. reports, view.RunAsync, token => lease.RunAsync(controllers.RunAsync, token), async token =>
                {
                    await view.Synced.WaitAsync(token);
                    await service.RunAsync(token);
                }]);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Asked to end; the Lease was given back.
        }
    }

    // A part that fails ends the others, in order, so that the process can be started anew as a whole.
    private static async Task WhenAnyFailsAsync(CancellationToken cancellationToken, params Func<CancellationToken, Task>[] parts)
    {
        using CancellationTokenSource all = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task[] running = [.. parts.Select(part => part(all.Token))];
        Task first = await Task.WhenAny(running);
        await all.CancelAsync();
        await Task.WhenAll(running).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        await first;
    }
}
