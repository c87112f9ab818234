using System.CommandLine;
using Vks.Supervisor.ControlPlane;

namespace Vks.Supervisor.Hosts;

/// <summary><c>supervisor host certificate</c>.</summary>
internal static class HostCertificateVerb
{
    /// <summary>The verb.</summary>
    public static Command Build()
    {
        Option<string> file = new("--file", "-f") { Required = true, Description = "The control plane's settings" };
        Option<string?> state = new("--state-directory") { Description = "Where the authorities are kept [/var/lib/vks-supervisor/NAME]" };
        Option<string> host = new("--host") { Required = true, Description = "The host's name in the settings" };
        Option<string> output = new("--output") { Required = true, Description = "Folder for ca.crt, tls.crt and tls.key, which go to the host's Spherelet" };
        Command command = new("certificate", "Makes the certificate by which a host's Spherelet shows itself to this Supervisor, and by which it knows the Supervisor; again makes a new one") { file, state, host, output };
        command.SetAction(parsed =>
        {
            ControlPlaneSettings settings = ControlPlaneSettingsFile.Load(parsed.GetRequiredValue(file));
            string name = parsed.GetRequiredValue(host);
            HostSettings found = settings.Hosts.FirstOrDefault(known => known.Name == name && known.HasMachines)
                ?? throw new SupervisorException(SupervisorFault.Settings, $"there is no host '{name}' with a spherelet in the settings. Hosts with one: {string.Join(", ", settings.Hosts.Where(static known => known.HasMachines).Select(static known => known.Name))}");
            string folder = Path.GetFullPath(parsed.GetValue(state) ?? Path.Combine("/var/lib/vks-supervisor", settings.Name));
            string there = Path.GetFullPath(parsed.GetRequiredValue(output));
            SphereletPki pki = new(Path.Combine(folder, "pki"), TimeProvider.System);
            pki.Ensure(settings.Name);
            pki.IssueFor(found, there);
            parsed.InvocationConfiguration.Output.WriteLine(
                $"on {name}: spherelet serve --machines-address {new Uri(found.Spherelet).Authority} --machines-cert-file {there}/tls.crt --machines-key-file {there}/tls.key --machines-client-ca-file {there}/ca.crt");
        });
        return command;
    }
}
