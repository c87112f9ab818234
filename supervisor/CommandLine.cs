using System.CommandLine;
using System.Reflection;

namespace Vks.Supervisor;

/// <summary>The verbs. Each folder brings its own.</summary>
internal static class CommandLine
{
    /// <summary>sysexits.h EX_CONFIG: the settings are wrong, and a restart will not help.</summary>
    public const int ConfigurationFault = 78;

    /// <summary>The version of this build.</summary>
    public static string Version { get; } =
        typeof(CommandLine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    /// <summary>The whole command line.</summary>
    public static RootCommand Build()
    {
        RootCommand root = new("The control plane of pods as microVMs. Pods themselves are run by the Spherelet, which needs no Supervisor.");
        root.Subcommands.Add(Metrics.MetricsCommand.Build());
        root.Subcommands.Add(PrintVersion());
        root.Subcommands.Add(InstallVerb.Command());
        root.Subcommands.Add(RunVerb.Command());
        root.Subcommands.Add(Placement.SchedulerConfig.Command());
        root.Subcommands.Add(Placement.ExplainVerb.Command());
        root.Subcommands.Add(StatusVerb.Command());
        root.Subcommands.Add(ControlPlane.InitVerb.Build());
        root.Subcommands.Add(Rollouts.ApplyVerb.Build());
        root.Subcommands.Add(Rollouts.RolloutVerbs.Build());
        root.Subcommands.Add(ControlPlane.MemberVerbs.Build());
        Operations.OperationsVerbs.Build().ToList().ForEach(root.Subcommands.Add);
        return root;
    }

    private static Command PrintVersion()
    {
        Command command = new("version", "Prints the version");
        command.SetAction(static parsed => parsed.InvocationConfiguration.Output.WriteLine($"supervisor {Version}"));
        return command;
    }
}
