using System.CommandLine;
using System.Globalization;
using k8s.Models;
using Spectre.Console;
using Vks.Supervisor.Kubernetes;
using Vks.Supervisor.Namespaces;
using Vks.Supervisor.Supervisors;
using Vks.Supervisor.Zones;
using Host = Vks.Supervisor.Zones.Host;

namespace Vks.Supervisor;

/// <summary><c>supervisor status</c>: the whole on one screen, and what is wrong with it.</summary>
internal static class StatusVerb
{
    /// <summary>The verb.</summary>
    public static Command Command()
    {
        Option<string?> kubeconfig = InstallVerb.KubeconfigOption();
        Command command = new("status", "Control plane, zones, hosts and namespaces on one screen") { kubeconfig };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using ApiClient api = ApiClient.Open(parsed.GetValue(kubeconfig));
            try
            {
                await PrintAsync(api, Screen.On(parsed.InvocationConfiguration.Output), TimeProvider.System, cancellationToken);
                return 0;
            }
            catch (ApiException problem)
            {
                string what = problem.Fault == ApiFault.NotFound ? "The Supervisor's kinds are not there. `supervisor install` makes them." : problem.Message;
                throw new SupervisorException(SupervisorFault.ControlPlane, what, problem);
            }
        });
        return command;
    }

    private static async Task PrintAsync(ApiClient api, IAnsiConsole screen, TimeProvider time, CancellationToken cancellationToken)
    {
        List<string> wrong = [];
        await PrintControlPlaneAsync(api, screen, wrong, time, cancellationToken);
        await PrintZonesAsync(api, screen, wrong, cancellationToken);
        await PrintHostsAsync(api, screen, wrong, cancellationToken);
        await PrintNamespacesAsync(api, screen, wrong, cancellationToken);
        screen.WriteLine();
        foreach (string line in wrong.DefaultIfEmpty("Nothing is wrong."))
        {
            screen.Write(new Text(line + "\n", wrong.Count > 0 ? new Style(Color.Red) : new Style(Color.Green)));
        }
    }

    private static async Task PrintControlPlaneAsync(ApiClient api, IAnsiConsole screen, List<string> wrong, TimeProvider time, CancellationToken cancellationToken)
    {
        Table table = Screen.Table("SUPERVISOR", "PHASE", "MEMBERS", "ADDRESS", "HOLDER", "VERSION");
        Table members = Screen.Table("MEMBER", "ZONE", "HOST", "PHASE", "ADDRESS", "ETCD", "VERSION", "CERTIFICATES UNTIL");
        foreach (SupervisorObject item in (await api.ListAsync<SupervisorObject>(null, null, cancellationToken)).Items)
        {
            SupervisorStatus status = item.Status ?? new SupervisorStatus();
            bool? good = Judge("supervisor", item.Metadata.Name, status.Conditions, wrong);
            table.Add(good, item.Metadata.Name, status.Phase, status.ReadyMembers, status.FloatingAddress?.Address, status.FloatingAddress?.Holder, status.Version);
            foreach (MemberStatus member in status.Members ?? [])
            {
                members.Add(
                    member.Ready, member.Name, member.Zone, member.Host, member.Phase, member.ManagementAddress, member.Etcd, member.Version,
                    member.CertificatesEnd?.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture));
            }
        }

        V1Lease? lease = await api.FindAsync<V1Lease>("vks-system", "supervisor", cancellationToken);
        string holder = lease?.Spec?.HolderIdentity is { Length: > 0 } held ? held : "nobody";
        TimeSpan? age = lease?.Spec?.RenewTime is { } renewed ? time.GetUtcNow() - new DateTimeOffset(renewed, TimeSpan.Zero) : null;
        bool alive = holder != "nobody" && age < LeaderLease.Duration;
        if (!alive)
        {
            wrong.Add($"No Supervisor leads (the Lease's last holder: {holder}): objects are not acted on. Is `supervisor run` running?");
        }

        screen.Write(table);
        if (members.Rows.Count > 0)
        {
            Write(screen, members);
        }

        screen.WriteLine(string.Create(CultureInfo.InvariantCulture, $"API server {api.Server}   leader {holder}{(age is { } since ? $", renewed {since.TotalSeconds:0} s ago" : "")}"));
    }

    private static async Task PrintZonesAsync(ApiClient api, IAnsiConsole screen, List<string> wrong, CancellationToken cancellationToken)
    {
        Table table = Screen.Table("ZONE", "PURPOSE", "HOSTS READY", "NAMESPACES");
        foreach (AvailabilityZone zone in (await api.ListAsync<AvailabilityZone>(null, null, cancellationToken)).Items)
        {
            bool? good = Judge("zone", zone.Metadata.Name, zone.Status?.Conditions, wrong);
            table.Add(good, zone.Metadata.Name, zone.Spec.Purpose, zone.Status?.ReadyHosts, zone.Status?.NamespaceCount?.ToString(CultureInfo.InvariantCulture));
        }

        Write(screen, table);
    }

    private static async Task PrintHostsAsync(ApiClient api, IAnsiConsole screen, List<string> wrong, CancellationToken cancellationToken)
    {
        Table table = Screen.Table("HOST", "ZONE", "PHASE", "CPU", "MEMORY", "PODS", "OVERHEAD OF A POD");
        foreach (Host host in (await api.ListAsync<Host>(null, null, cancellationToken)).Items)
        {
            bool? good = Judge("host", host.Metadata.Name, host.Status?.Conditions, wrong);
            HostStatus status = host.Status ?? new HostStatus();
            table.Add(good, host.Metadata.Name, status.Zone, status.Phase, status.Summary?.Cpu, status.Summary?.Memory, status.Summary?.Pods, $"{status.Overhead?.Memory} {status.Overhead?.Source}");
        }

        Write(screen, table);
    }

    private static async Task PrintNamespacesAsync(ApiClient api, IAnsiConsole screen, List<string> wrong, CancellationToken cancellationToken)
    {
        Table table = Screen.Table("NAMESPACE", "PHASE", "ZONES", "CPU", "MEMORY", "PODS", "STORAGE");
        foreach (SupervisorNamespace item in (await api.ListAsync<SupervisorNamespace>(null, null, cancellationToken)).Items)
        {
            bool? good = Judge("namespace", item.Metadata.Name, item.Status?.Conditions, wrong);
            NamespaceSummary sums = item.Status?.Summary ?? new NamespaceSummary();
            table.Add(good, item.Metadata.Name, item.Status?.Phase, sums.Zones, sums.Cpu, sums.Memory, sums.Pods, sums.Storage);
        }

        Write(screen, table);
    }

    private static void Write(IAnsiConsole screen, Table table)
    {
        screen.WriteLine();
        screen.Write(table);
    }

    private static bool? Judge(string kind, string name, IList<V1Condition>? conditions, List<string> wrong)
    {
        V1Condition? ready = conditions?.FirstOrDefault(condition => condition.Type == "Ready");
        if (ready?.Status != "True")
        {
            wrong.Add($"{kind} {name}: {(ready is null ? "not looked at yet" : $"{ready.Reason}: {ready.Message}")}");
        }

        return ready?.Status switch { "True" => true, "False" => false, _ => null };
    }
}
