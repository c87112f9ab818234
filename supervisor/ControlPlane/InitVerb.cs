using System.CommandLine;
using Vks.Supervisor.Hosts;
using Vks.Supervisor.Supervisors;

namespace Vks.Supervisor.ControlPlane;

/// <summary><c>supervisor init</c>.</summary>
internal static class InitVerb
{
    /// <summary>The verb.</summary>
    public static Command Build()
    {
        Option<string> file = new("--file", "-f") { Required = true, Description = "The control plane's settings" };
        Option<string?> state = new("--state-directory") { Description = "Where the authorities and the admin's kubeconfig are kept [/var/lib/vks-supervisor/NAME]" };
        Command command = new("init", "Brings a control plane up on bare hosts; run again, it goes on where it was interrupted, and starts members that do not run") { file, state };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            ControlPlaneSettings settings = ControlPlaneSettingsFile.Load(parsed.GetRequiredValue(file));
            TextWriter output = parsed.InvocationConfiguration.Output;
            StateFolder folder = StateFolder.Of(parsed.GetValue(state), settings.Name);
            using FileStream only = folder.Lock();
            using MemberHosts hosts = new(settings, folder.Pki, TimeProvider.System);
            ControlPlaneInit init = new(settings, folder, hosts.Reach, output.WriteLine, TimeProvider.System);
            string kubeconfig = await init.RunAsync(cancellationToken);
            await Registration.RunAsync(settings, folder, output.WriteLine, TimeProvider.System, cancellationToken);
            await output.WriteLineAsync($"export KUBECONFIG={kubeconfig}");
        });
        return command;
    }
}
