using System.CommandLine;
using System.Globalization;

namespace Vks.Supervisor.Placement;

/// <summary><c>supervisor scheduler-config</c>: the file and the certificates with which upstream's kube-scheduler asks the placement service.</summary>
internal static class SchedulerConfig
{
    /// <summary>Where `supervisor run` serves by default.</summary>
    public const string DefaultAddress = "127.0.0.1:10270";

    /// <summary>Where certificates are by default.</summary>
    public const string DefaultFolder = "/var/lib/vks/supervisor/placement";

    /// <summary>The verb.</summary>
    public static Command Command()
    {
        Option<string> folder = CertificatesOption();
        Option<FileInfo> output = new("--output") { Description = "The file to write", Required = true };
        Option<string> scheduler = new("--scheduler-kubeconfig") { Description = "The kubeconfig that kube-scheduler itself uses", Required = true };
        Option<string> version = new("--kubernetes") { Description = "Version of kube-scheduler, as 1.31: its file's version follows from it", Required = true };
        Option<string> address = new("--service-address") { Description = "Where the placement service is", DefaultValueFactory = static _ => DefaultAddress };
        Option<bool> elect = new("--leader-elect") { Description = "Several kube-schedulers elect one", DefaultValueFactory = static _ => true };
        Command command = new("scheduler-config", "Writes kube-scheduler's configuration and makes the certificates for it") { folder, output, scheduler, version, address, elect };
        command.SetAction(parsed =>
        {
            string text = Write(parsed.GetValue(version)!, parsed.GetValue(scheduler)!, parsed.GetValue(address)!, Path.GetFullPath(parsed.GetValue(folder)!), parsed.GetValue(elect));
            new ServiceCertificates(parsed.GetValue(folder)!, TimeProvider.System).Ensure();
            File.WriteAllText(parsed.GetValue(output)!.FullName, text);
            parsed.InvocationConfiguration.Output.WriteLine($"kube-scheduler --config {parsed.GetValue(output)!.FullName}");
        });
        return command;
    }

    /// <summary>The option that all verbs with certificates have.</summary>
    public static Option<string> CertificatesOption() => new("--certificates") { Description = "Folder of the placement service's certificates", DefaultValueFactory = static _ => DefaultFolder };

    /// <summary>The file's text.</summary>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Settings"/>: the version is none that has such a file.</exception>
    public static string Write(string kubernetes, string kubeconfig, string address, string folder, bool elect)
    {
        ServiceCertificates files = new(folder, TimeProvider.System);
        return $"""
            apiVersion: kubescheduler.config.k8s.io/{FileVersion(kubernetes)}
            kind: KubeSchedulerConfiguration
            clientConnection: {"{"} kubeconfig: "{kubeconfig}" {"}"}
            leaderElection: {"{"} leaderElect: {(elect ? "true" : "false")} {"}"}
            # All hosts are looked at: a sample may lie outside of a namespace's zones altogether.
            percentageOfNodesToScore: 100
            extenders:
            - urlPrefix: https://{address}/placement
              filterVerb: filter
              prioritizeVerb: prioritize
              preemptVerb: preempt
              bindVerb: bind
              # More than all of upstream's scores together: the spread over zones holds, upstream chooses within the zone.
              weight: 30
              enableHTTPS: true
              tlsConfig: {"{"} caFile: "{files.AuthorityFile}", certFile: "{files.SchedulerFile}", keyFile: "{files.SchedulerKeyFile}" {"}"}
              httpTimeout: 5s
              nodeCacheCapable: true
              # Without the placement service no pod is placed: zones are a promise.
              ignorable: false

            """;
    }

    private static string FileVersion(string kubernetes)
    {
        string[] parts = kubernetes.TrimStart('v').Split('.');
        if (parts.Length < 2 || parts[0] != "1" || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int minor) || minor < 20)
        {
            throw new SupervisorException(SupervisorFault.Settings, $"--kubernetes {kubernetes}: give a version from 1.20 on, as 1.31.");
        }

        return minor switch { <= 22 => "v1beta1", <= 24 => "v1beta2", _ => "v1" };
    }
}
