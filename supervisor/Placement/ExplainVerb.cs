using System.CommandLine;
using System.Globalization;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;
using Spectre.Console;
using Vks.Supervisor.Kubernetes;

namespace Vks.Supervisor.Placement;

/// <summary><c>supervisor explain pod NAME</c>: why a pod runs where it runs, or why it does not run.</summary>
internal static class ExplainVerb
{
    /// <summary>The verb.</summary>
    public static Command Command()
    {
        Option<string?> kubeconfig = InstallVerb.KubeconfigOption();
        Option<string> space = new("--namespace", "-n") { Description = "The pod's namespace", DefaultValueFactory = static _ => "default" };
        Argument<string> name = new("name") { Description = "The pod" };
        Command pod = new("pod", "Why a pod runs where it runs, or why it does not") { name, space, kubeconfig };
        pod.SetAction(async (parsed, cancellationToken) =>
        {
            using ApiClient api = ApiClient.Open(parsed.GetValue(kubeconfig));
            try
            {
                await ExplainAsync(api, parsed.GetValue(space)!, parsed.GetValue(name)!, Screen.On(parsed.InvocationConfiguration.Output), cancellationToken);
                return 0;
            }
            catch (ApiException problem)
            {
                throw new SupervisorException(SupervisorFault.ControlPlane, problem.Message, problem);
            }
        });
        return new Command("explain", "Says why something is as it is") { pod };
    }

    private static async Task ExplainAsync(ApiClient api, string space, string name, IAnsiConsole screen, CancellationToken cancellationToken)
    {
        V1Pod pod = await api.FindAsync<V1Pod>(space, name, cancellationToken)
            ?? throw new SupervisorException(SupervisorFault.Precondition, $"There is no pod {name} in {space}. `kubectl get pods -A` lists all.");
        string where = string.IsNullOrEmpty(pod.Spec.NodeName) ? "waits for a host" : $"is on {pod.Spec.NodeName}";
        if (pod.Metadata.Annotations?.TryGetValue(PlacementRecord.Annotation, out string? text) == true && PlacementRecord.Read(text) is { } record)
        {
            screen.WriteLine($"Pod {space}/{name} {where}{(record.Zone is null ? "" : $" in {record.Zone}")}");
            Print(screen, record, pod.Spec.NodeName);
        }
        else if (!string.IsNullOrEmpty(pod.Spec.NodeName))
        {
            screen.WriteLine($"Pod {space}/{name} {where}, and no decision is written on it: it named its node itself, or another scheduler than ours ({pod.Spec.SchedulerName}) bound it.");
        }
        else
        {
            screen.WriteLine($"Pod {space}/{name} {where}; kube-scheduler has not asked where to place it, or its own rules left no host. As it looks now:");
            Print(screen, await NowAsync(api, pod, cancellationToken), null);
        }

        if (pod.Status?.Conditions?.FirstOrDefault(condition => condition is { Type: "PodScheduled", Status: "False" }) is { } waiting)
        {
            screen.WriteLine();
            screen.WriteLine($"kube-scheduler says: {waiting.Message}");
        }
    }

    private static void Print(IAnsiConsole screen, PlacementRecord record, string? chosen)
    {
        screen.WriteLine($"Asks for {Amount(record.CpuMillis, record.MemoryBytes)}, its machine included. Zones of the namespace: {(record.Zones is null ? "any" : string.Join(", ", record.Zones))}");
        screen.WriteLine();
        Table table = Screen.Table("HOST", "ZONE", "SCORE", "SPREAD", "ROOM", "SAME OWNER IN ZONE", "REMOVED BY", "REASON");
        foreach (ScoredHost host in record.Candidates)
        {
            bool here = host.Host == chosen;
            table.Add(here ? true : null, here ? $"{host.Host} *" : host.Host, host.Zone, Number(host.Score), Number(host.Spread), Number(host.Room), Number(host.Siblings), "", "");
        }

        foreach (RemovedHost host in record.Removed)
        {
            table.Add(false, host.Host, host.Zone, "", "", "", "", host.Filter, host.Reason);
        }

        screen.Write(table);
        if (record.LeftOut is { } left)
        {
            screen.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{left} more hosts were not written down."));
        }
    }

    // What the rules say of a pod that was not asked about: the same book and the same decision, with upstream's rules as far as they can be seen.
    private static async Task<PlacementRecord> NowAsync(ApiClient api, V1Pod pod, CancellationToken cancellationToken)
    {
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        ClusterView view = new(api, TimeProvider.System, NullLogger<ClusterView>.Instance);
        Task watching = view.RunAsync(end.Token);
        await Task.WhenAny(view.Synced.WaitAsync(TimeSpan.FromSeconds(30), cancellationToken), watching);
        PlacementBook book = new(view, TimeProvider.System);
        PlacementQuestion question = book.Ask(pod, []);
        question = question with { Candidates = question.Hosts.Where(host => host.SchedulerHint is null).Select(host => host.Name).ToHashSet(StringComparer.Ordinal) };
        await end.CancelAsync();
        await watching.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        return PlacementRecord.Of(question, PlacementDecision.Of(question));
    }

    private static string Amount(long millis, long bytes) => string.Create(CultureInfo.InvariantCulture, $"{millis}m CPU and {bytes >> 20} MiB");

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
