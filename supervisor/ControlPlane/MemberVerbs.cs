using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using Spectre.Console;
using Vks.Supervisor.Pki;

namespace Vks.Supervisor.ControlPlane;

/// <summary><c>supervisor member …</c>: what concerns one member on its own host.</summary>
internal static class MemberVerbs
{
    private static readonly TimeSpan s_fresh = TimeSpan.FromSeconds(5);

    /// <summary>The verb.</summary>
    public static Command Build()
    {
        Command member = new("member", "One member of the control plane, on this host");
        member.Subcommands.Add(Authorities());
        member.Subcommands.Add(Run());
        member.Subcommands.Add(Start());
        member.Subcommands.Add(Stop());
        member.Subcommands.Add(Remove());
        member.Subcommands.Add(Status());
        member.Subcommands.Add(State());
        return member;
    }

    private static Command Authorities()
    {
        Option<string> directory = new("--directory") { Required = true, Description = "Folder of a member's certificates: DIRECTORY/pki of its settings" };
        Option<string> cluster = new("--cluster") { Required = true, Description = "Name of the control plane" };
        Command command = new("authorities", "Makes the authorities that all members of a control plane share; those that are there stay") { directory, cluster };
        command.SetAction(parsed =>
        {
            string folder = Path.GetFullPath(parsed.GetRequiredValue(directory));
            IReadOnlyList<string> made = AuthorityFiles.Ensure(folder, parsed.GetRequiredValue(cluster), TimeProvider.System.GetUtcNow());
            parsed.InvocationConfiguration.Output.WriteLine(made.Count == 0 ? $"all authorities are in {folder}" : $"made in {folder}: {string.Join(", ", made)}");
        });
        return command;
    }

    private static Command Run()
    {
        Option<string> config = Config();
        Command command = new("run", "Runs the member until SIGTERM or SIGINT; SIGHUP makes its certificates anew") { config };
        command.SetAction(async (parsed, _) =>
        {
            MemberSettings settings = MemberSettingsFile.Load(parsed.GetRequiredValue(config));
            using ILoggerFactory loggers = LoggerFactory.Create(static logging => logging.AddSimpleConsole(static console =>
            {
                console.SingleLine = false;
                console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fff ";
            }));
            using Member member = new(settings, TimeProvider.System, loggers);
            using CancellationTokenSource stop = new();
            void End(PosixSignalContext context)
            {
                context.Cancel = true;
                stop.Cancel();
            }

            using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
            using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
            using PosixSignalRegistration hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
            {
                context.Cancel = true;
                member.RenewCertificates();
            });
            await member.RunAsync(stop.Token);
        });
        return command;
    }

    private static Command Start()
    {
        Option<string> config = Config();
        Command command = new("start", "Runs the member in the background; its own log is DIRECTORY/log/member.log") { config };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            string file = Path.GetFullPath(parsed.GetRequiredValue(config));
            await new MemberProcess(MemberSettingsFile.Load(file), TimeProvider.System).StartAsync(file, cancellationToken);
        });
        return command;
    }

    private static Command Stop()
    {
        Option<string> config = Config();
        Command command = new("stop", "Ends the member in order and waits for its end") { config };
        command.SetAction((parsed, cancellationToken) => new MemberProcess(MemberSettingsFile.LoadToEnd(parsed.GetRequiredValue(config)), TimeProvider.System).StopAsync(cancellationToken));
        return command;
    }

    private static Command Remove()
    {
        Option<string> config = Config();
        Command command = new("remove", "Removes all files of a member that init or apply brought to this host and that does not run any more") { config };
        command.SetAction(parsed => MemberFiles.Remove(Path.GetFullPath(parsed.GetRequiredValue(config))));
        return command;
    }

    private static Command State()
    {
        Option<string> config = Config();
        Command command = new("state", "Prints how the member is, as JSON; nothing when it does not run or there is no such member here") { config };
        command.SetAction(parsed =>
        {
            string file = parsed.GetRequiredValue(config);
            MemberState? state = File.Exists(file) ? new MemberProcess(MemberSettingsFile.LoadToEnd(file), TimeProvider.System).State() : null;
            if (state is not null)
            {
                parsed.InvocationConfiguration.Output.WriteLine(System.Text.Json.JsonSerializer.Serialize(state, MemberStateJson.Default.MemberState));
            }
        });
        return command;
    }

    private static Command Status()
    {
        Option<string> config = Config();
        Command command = new("status", "How the member on this host is; ends with 1 when it does not serve the API") { config };
        command.SetAction(parsed =>
        {
            MemberSettings settings = MemberSettingsFile.Load(parsed.GetRequiredValue(config));
            MemberState? state = MemberState.Read(MemberState.PathIn(settings));
            DateTimeOffset now = TimeProvider.System.GetUtcNow();
            IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(parsed.InvocationConfiguration.Output) });
            if (state is null || now - state.At > s_fresh)
            {
                console.WriteLine(state is null ? $"member {settings.Name} has never run here" : $"member {settings.Name} does not run; last seen {state.At:u}");
                return 1;
            }

            Show(console, state, now);
            return state.Ready ? 0 : 1;
        });
        return command;
    }

    private static void Show(IAnsiConsole console, MemberState state, DateTimeOffset now)
    {
        console.WriteLine($"member {state.Name}: {(state.Ready ? $"serves the API ({state.KubernetesVersion})" : state.Leaving ? "leaves the control plane" : "does not serve the API: " + state.Why)}");
        console.WriteLine($"floating address: {(state.HasFloatingAddress ? "here" : "with " + (state.FloatingAddressHolder ?? "nobody"))}");
        console.WriteLine($"etcd {state.Etcd.Version}: {(state.Etcd.Serves ? state.Etcd.IsLeader ? "leads" : "follows" : "does not serve")}, {state.Etcd.DatabaseBytes >> 20} MiB"
            + (state.Etcd.Problem.Length > 0 ? $", {state.Etcd.Problem}" : ""));
        console.WriteLine($"certificates are good until {state.CertificatesEnd:u}");
        Table table = new();
        table.AddColumns("program", "process", "for", "starts", "ended last");
        foreach (ProgramState program in state.Programs)
        {
            table.AddRow(
                program.Name, program.ProcessId == 0 ? "-" : program.ProcessId.ToString(CultureInfo.InvariantCulture), (now - program.Since).ToString(@"d\.hh\:mm\:ss", CultureInfo.InvariantCulture),
                program.Starts.ToString(CultureInfo.InvariantCulture), program.LastEnd);
        }

        console.Write(table);
    }

    private static Option<string> Config() => new("--config") { Required = true, Description = "The member's settings file" };
}
