using System.CommandLine;
using System.Reflection;
using System.Runtime.InteropServices;
using Grpc.Core;
using Vks.Spherelet.Client;
using Vks.Spherelet.Cri.V1;
using Vks.Spherelet.Protos;
using Vks.Spherelet.Node;

namespace Vks.Spherelet;

/// <summary>The verbs and flags.</summary>
internal static class CommandLine
{
    private static readonly Option<string> s_file = new("--config") { Description = $"Settings file [{SphereletOptionsLoader.DefaultFile}]", Recursive = true };

    private static readonly IReadOnlyDictionary<SphereletSetting, Option<string>> s_settings = SphereletSettings.All.ToDictionary(
        static setting => setting,
        static setting => new Option<string>("--" + setting.Name) { Description = setting.Help, Recursive = true });

    /// <summary>The version of this build.</summary>
    public static string Version { get; } =
        typeof(CommandLine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    /// <summary>The whole command line.</summary>
    public static RootCommand Build()
    {
        RootCommand root = new("Runs pods as microVMs: a CRI server for the kubelet and crictl. Every setting can also be given as VKS_NAME in the environment or in the settings file.");
        root.Options.Add(s_file);
        foreach (Option<string> option in s_settings.Values)
        {
            root.Options.Add(option);
        }

        root.Subcommands.Add(Serve());
        root.Subcommands.Add(Run());
        root.Subcommands.Add(Doctor());
        root.Subcommands.Add(Drain());
        root.Subcommands.Add(Join());
        root.Subcommands.Add(Ping());
        root.Subcommands.Add(Demo());
        root.Subcommands.Add(PrintVersion());
        return root;
    }

    private static Command Serve()
    {
        Command command = new("serve", "Serves CRI on a unix socket until SIGTERM; pods go on without it");
        command.SetAction(async (parsed, token) =>
        {
            await Daemon.ServeAsync(Load(parsed), token);
            return 0;
        });
        return command;
    }

    private static Command Run()
    {
        Argument<string> image = new("image") { Description = "Image to run" };
        Argument<string[]> arguments = new("command") { Description = "Program and arguments instead of the image's own, after --", Arity = ArgumentArity.ZeroOrMore };
        Option<int> vcpus = new("--vcpus") { Description = "Virtual CPUs", DefaultValueFactory = static _ => 1 };
        Option<int> memory = new("--memory") { Description = "Guest memory in MiB", DefaultValueFactory = static _ => 512 };
        Option<string[]> environment = new("--env", "-e") { Description = "NAME=value for the program", AllowMultipleArgumentsPerToken = false };
        Option<bool> noPull = new("--no-pull") { Description = "Use the image that is in the store already" };
        Option<bool> noConsole = new("--no-console") { Description = "Leave the guest's console lines out" };
        Command command = new("run", "Runs one pod without Kubernetes, its console on screen; Ctrl-C stops it, and nothing is left")
        {
            image, arguments, vcpus, memory, environment, noPull, noConsole,
        };
        command.SetAction((parsed, token) => InterruptibleAsync(
            inner => Daemon.RunPodAsync(
            Load(parsed),
            new RunRequest
            {
                Image = parsed.GetRequiredValue(image),
                Command = parsed.GetValue(arguments) ?? [],
                VcpuCount = parsed.GetValue(vcpus),
                MemoryMiB = parsed.GetValue(memory),
                Environment = parsed.GetValue(environment) ?? [],
                Pull = !parsed.GetValue(noPull),
                ShowConsole = !parsed.GetValue(noConsole),
            },
            inner),
            token));
        return command;
    }

    private static Command Doctor()
    {
        Option<bool> json = new("--json") { Description = "JSON instead of a table" };
        Command command = new("doctor", "Checks this host and says how to mend what is missing; exit code 1 when a check fails") { json };
        command.SetAction(async (parsed, token) =>
            DoctorCommand.Show(await Daemon.ExamineAsync(Load(parsed), token), parsed.GetValue(json), Console.Out));
        return command;
    }

    private static Command Drain()
    {
        Command command = new("drain", "Removes every pod and machine of a root directory whose daemon does not run; images stay");
        command.SetAction(async (parsed, token) =>
        {
            await Daemon.DrainAsync(Load(parsed), token);
            return 0;
        });
        return command;
    }

    private static Command Join()
    {
        Option<string> server = new("--server") { Description = "The cluster's API server, https://10.0.0.1:6443", Required = true };
        Option<string> token = new("--token") { Description = "Bootstrap token; @FILE reads it from a file", Required = true };
        Option<FileInfo> authority = new("--ca-file") { Description = "The cluster's certificate authority, PEM", Required = true };
        Option<string> name = new("--node-name") { Description = "Name of the node [the host's]", DefaultValueFactory = static _ => Environment.MachineName.ToLowerInvariant() };
        Option<string> address = new("--node-ip") { Description = "Address that the cluster reaches this host by", DefaultValueFactory = static _ => "" };
        Option<string> zone = new("--zone") { Description = "Failure domain of this host", DefaultValueFactory = static _ => "" };
        Option<string> pods = new("--pod-cidr") { Description = "Addresses of this node's pods; without it a CNI network must be there", DefaultValueFactory = static _ => "" };
        Option<string> dns = new("--cluster-dns") { Description = "Address of the cluster's DNS Service", DefaultValueFactory = static _ => "" };
        Option<string> kubelet = new("--kubelet") { Description = "The kubelet's program", DefaultValueFactory = static _ => "/usr/local/bin/kubelet" };
        Option<string> cgroup = new("--cgroup-root") { Description = "Control group below which the kubelet makes those of pods", DefaultValueFactory = static _ => "" };
        Option<bool> noUnits = new("--no-units") { Description = "Write no systemd units and start nothing" };
        Command command = new("join", "Makes this host a node of a Kubernetes cluster: kubelet settings, CNI network, systemd units; its certificate comes by a signing request")
        {
            server, token, authority, name, address, zone, pods, dns, kubelet, cgroup, noUnits,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            SphereletOptions options = Load(parsed);
            string secret = parsed.GetRequiredValue(token);
            JoinRequest request = new()
            {
                Server = parsed.GetRequiredValue(server),
                Token = secret.StartsWith('@') ? (await File.ReadAllTextAsync(secret[1..], cancellationToken)).Trim() : secret,
                Authority = await File.ReadAllTextAsync(parsed.GetRequiredValue(authority).FullName, cancellationToken),
                NodeName = parsed.GetRequiredValue(name),
                NodeIp = parsed.GetRequiredValue(address),
                Zone = parsed.GetRequiredValue(zone),
                PodCidr = parsed.GetRequiredValue(pods),
                ClusterDns = parsed.GetRequiredValue(dns),
                Kubelet = parsed.GetRequiredValue(kubelet),
                KubeletMinor = await JoinCommand.KubeletMinorAsync(parsed.GetRequiredValue(kubelet), cancellationToken),
                CgroupRoot = parsed.GetRequiredValue(cgroup),
                IsUnified = File.Exists("/sys/fs/cgroup/cgroup.controllers"),
                Spherelet = Environment.ProcessPath ?? "spherelet",
                Socket = options.SocketPath,
                CniConfigDirectory = options.CniConfigDirectory,
                Units = !parsed.GetValue(noUnits),
            };
            JoinCommand.Check(request);
            await JoinCommand.WriteAsync(request, Console.Out, cancellationToken);
            if (request.Units)
            {
                await JoinCommand.StartAsync(cancellationToken);
            }

            Console.WriteLine($"An administrator gives the node its role: kubectl label node {request.NodeName} node-role.kubernetes.io/agent=");
            return 0;
        });
        return command;
    }

    private static Command Ping()
    {
        Command command = new("ping", "Asks the daemon for its version; exit code 1 when it does not answer within 2 s");
        command.SetAction(async (parsed, token) =>
        {
            string socket = Load(parsed).SocketPath;
            using CriClient client = new(socket);
            try
            {
                VersionResponse version = await client.Runtime.VersionAsync(
                    new VersionRequest(), new CallOptions(cancellationToken: token).WithDeadline(TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(2)));
                Console.WriteLine($"{version.RuntimeName} {version.RuntimeVersion} answers on {socket}");
                return 0;
            }
            catch (RpcException problem)
            {
                throw new NodeException(NodeFault.NotReachable, $"No spherelet answers on {socket} ({problem.StatusCode}). Start it with 'spherelet serve'.", problem);
            }
        });
        return command;
    }

    private static Command Demo()
    {
        Option<string> image = new("--image") { Description = "Image whose own command serves a page on port 80", Required = true };
        Command command = new("demo", "Pulls an image, runs it as a pod over CRI, fetches its page and execs into it") { image };
        command.SetAction((parsed, token) => InterruptibleAsync(
            async inner =>
            {
                await DemoCommand.RunAsync(Load(parsed).SocketPath, parsed.GetRequiredValue(image), inner);
                return 0;
            },
            token));
        return command;
    }

    private static Command PrintVersion()
    {
        Command command = new("version", "Prints the version");
        command.SetAction(_ =>
        {
            Console.WriteLine($"spherelet {Version}");
            return 0;
        });
        return command;
    }

    private static SphereletOptions Load(ParseResult parsed)
    {
        Dictionary<string, string> flags = [];
        foreach ((SphereletSetting setting, Option<string> option) in s_settings)
        {
            if (parsed.GetValue(option) is { } value)
            {
                flags[setting.Name] = value;
            }
        }

        string? file = parsed.GetValue(s_file);
        (SphereletOptions options, IReadOnlyList<string> faults) = SphereletOptionsLoader.Load(
            flags, SphereletOptionsLoader.ReadEnvironment(), file ?? SphereletOptionsLoader.DefaultFile, fileRequired: file is not null);
        return faults.Count == 0 ? options : throw new OptionsException(faults);
    }

    /// <summary>Runs a verb whose work is undone on Ctrl-C or SIGTERM: the first signal cancels it, a second one ends the process.</summary>
    private static async Task<int> InterruptibleAsync(Func<CancellationToken, Task<int>> work, CancellationToken cancellationToken)
    {
        using CancellationTokenSource interrupted = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        void Interrupt(PosixSignalContext context)
        {
            context.Cancel = !interrupted.IsCancellationRequested;
            _ = interrupted.CancelAsync();
        }

        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);
        return await work(interrupted.Token);
    }
}
