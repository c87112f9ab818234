using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using k8s.Models;
using Vks.Supervisor.ControlPlane;
using Vks.Supervisor.Kubernetes;
using Vks.Supervisor.Pki;

namespace Vks.Supervisor.Supervisors;

/// <summary>Makes a control plane that serves the API a Supervisor: its kinds, roles and admission, and the object that stands for it.</summary>
/// <param name="settings">The control plane; <see cref="ControlPlaneSettings.Placement"/> is not null.</param>
/// <param name="authority">Certificate of the placement services' authority, PEM.</param>
/// <param name="tell">Takes a line for the person who waits.</param>
/// <param name="time">The clock.</param>
internal sealed class Registration(ControlPlaneSettings settings, string authority, Action<string> tell, TimeProvider time)
{
    private static readonly TimeSpan s_running = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(500);

    /// <summary>Does it, and waits until the Supervisor says that it runs. May be repeated.</summary>
    /// <param name="api">The control plane's API, as an admin.</param>
    /// <param name="cancellationToken">Ends it; the next run goes on.</param>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.ControlPlane"/>: something was refused, or it does not come to run, with what it says.</exception>
    public async Task RunAsync(ApiClient api, CancellationToken cancellationToken)
    {
        IReadOnlyList<JsonObject> manifests =
        [
            .. Manifests.Read(["1", "2"]),
            .. Manifests.Read(["30"], ("ADDRESS", $"https://{settings.Placement}"), ("AUTHORITY", Convert.ToBase64String(Encoding.ASCII.GetBytes(authority)))),
        ];
        await InstallVerb.InstallAsync(api, manifests, TextWriter.Null, cancellationToken);
        tell($"{manifests.Count} kinds, roles and webhooks of the Supervisor are there");
        try
        {
            await Ensure.AsAsync(api, Wanted(settings), ["spec"], cancellationToken);
            await RunningAsync(api, cancellationToken);
        }
        catch (ApiException problem)
        {
            throw new SupervisorException(SupervisorFault.ControlPlane, $"Supervisor {settings.Name}: {problem.Message}. Do: run this again", problem);
        }
    }

    /// <summary>As the other, for a control plane by its admin's kubeconfig; nothing is done for one without placement.</summary>
    /// <param name="settings">The control plane.</param>
    /// <param name="folder">Where its authorities and the kubeconfig are.</param>
    /// <param name="tell">Takes a line for the person who waits.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Ends it; the next run goes on.</param>
    public static async Task RunAsync(ControlPlaneSettings settings, StateFolder folder, Action<string> tell, TimeProvider time, CancellationToken cancellationToken)
    {
        if (settings.Placement is not null)
        {
            string authority = await File.ReadAllTextAsync(Path.Combine(folder.Pki, AuthorityFiles.Placement + ".crt"), cancellationToken);
            using ApiClient api = ApiClient.Open(folder.KubeconfigFile);
            await new Registration(settings, authority, tell, time).RunAsync(api, cancellationToken);
        }
    }

    /// <summary>The object for a control plane's settings.</summary>
    /// <param name="settings">The settings.</param>
    public static SupervisorObject Wanted(ControlPlaneSettings settings) => SupervisorObject.Named(settings.Name, new SupervisorSpec
    {
        ControlPlane = new MembersWanted { Replicas = settings.Replicas, Size = settings.Size.ToString().ToLowerInvariant() },
        Zones = [.. settings.Zones],
        ManagementNetwork = new ManagementNetwork { StartingAddress = settings.FirstAddress.ToString(), PrefixLength = settings.Prefix },
        WorkloadNetwork = new WorkloadNetwork { PodCidrs = settings.Pods is { } pods ? [pods.ToString()] : null, ServiceCidrs = [settings.Services.ToString()] },
    });

    private async Task RunningAsync(ApiClient api, CancellationToken cancellationToken)
    {
        long begin = time.GetTimestamp();
        while (true)
        {
            SupervisorObject? item = await api.FindAsync<SupervisorObject>(null, settings.Name, cancellationToken);
            if (item?.Status is { Phase: "Running" } status)
            {
                tell(string.Create(CultureInfo.InvariantCulture, $"supervisor/{settings.Name}: Running, {status.ReadyMembers} members, Kubernetes {status.Version}"));
                return;
            }

            if (time.GetElapsedTime(begin) > s_running)
            {
                V1Condition? ready = item?.Status?.Conditions?.FirstOrDefault(static condition => condition.Type == SupervisorPlan.Ready);
                throw new SupervisorException(
                    SupervisorFault.ControlPlane,
                    $"Supervisor {settings.Name} does not run after {s_running.TotalMinutes:0} min: {ready?.Message ?? "no Supervisor has looked at it"}. Do: look at the log supervisor.log in {settings.Directory}/*/log of the hosts, and run this again");
            }

            await Task.Delay(s_pause, time, cancellationToken);
        }
    }
}
