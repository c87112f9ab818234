using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Vks.Supervisor.Configuration;
using Vks.Supervisor.ControlPlane;
using Vks.Supervisor.Hosts;
using Vks.Supervisor.Pki;

namespace Vks.Supervisor.Operations;

/// <summary><c>supervisor preflight</c>, <c>backup</c>, <c>restore</c> and <c>host</c>.</summary>
internal static class OperationsVerbs
{
    /// <summary>The verbs.</summary>
    public static IEnumerable<Command> Build() => [Preflight(), Backup(), Restore(), Host()];

    private static Command Preflight()
    {
        Option<string> config = Config();
        Option<string[]> others = new("--host") { Description = "Another host and the command that runs programs there: b='ssh root@10.0.0.12'; may be repeated" };
        Option<string[]> names = new("--name") { Description = "A name that every host must find by DNS; may be repeated" };
        Option<string> program = new("--supervisor") { Description = "The Supervisor's program on the other hosts", DefaultValueFactory = static _ => Environment.ProcessPath! };
        Command command = new("preflight", "Looks for what would keep a control plane from working, each with its fix; changes nothing; ends with 1 when there is something severe") { config, others, names, program };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            MemberSettings settings = MemberSettingsFile.Load(parsed.GetRequiredValue(config));
            Dictionary<string, IReadOnlyList<string>> hosts = new(StringComparer.Ordinal) { [settings.Name] = [] };
            foreach (string other in parsed.GetValue(others) ?? [])
            {
                string[] parts = other.Split('=', 2);
                if (parts.Length != 2 || parts[1].Length == 0 || !hosts.TryAdd(parts[0], parts[1].Split(' ', StringSplitOptions.RemoveEmptyEntries)))
                {
                    throw new SupervisorException(SupervisorFault.Settings, $"--host '{other}' is not NAME=COMMAND, or its name is there twice");
                }
            }

            IReadOnlyList<Finding> findings = await FindAsync(settings, hosts, parsed.GetValue(names) ?? [], parsed.GetRequiredValue(program), cancellationToken);
            Show(parsed.InvocationConfiguration.Output, findings, hosts.Count);
            return findings.Any(static finding => finding.Severe) ? 1 : 0;
        });
        return command;
    }

    private static async Task<IReadOnlyList<Finding>> FindAsync(
        MemberSettings settings, IReadOnlyDictionary<string, IReadOnlyList<string>> hosts, IReadOnlyList<string> names, string program, CancellationToken cancellationToken)
    {
        // A member that runs already answers for its own address; that is as it should be.
        bool runs = MemberState.Read(MemberState.PathIn(settings)) is { } state && TimeProvider.System.GetUtcNow() - state.At < TimeSpan.FromSeconds(5);
        Dictionary<IPAddress, string> addresses = runs ? [] : settings.Members.ToDictionary(static member => member.Address, static member => $"member {member.Name}");
        if (!runs && settings.FloatingAddress is { } floating)
        {
            addresses[floating] = "the floating address";
        }

        List<(string, IPNetwork)> ranges = [("services", settings.Services)];
        if (settings.Pods is { } pods)
        {
            ranges.Add(("pods", pods));
        }

        HostQuestion question = new(
            settings.Link, [.. addresses.Keys], names,
            [
                settings.Etcd, Path.Combine(settings.Programs, "kube-apiserver"), Path.Combine(settings.Programs, "kube-controller-manager"), Path.Combine(settings.Programs, "kube-scheduler"),
                "ip", "perl", "setpriv", "etcdctl",
            ],
            settings.Directory);
        Dictionary<string, AskedHost> answers = new(StringComparer.Ordinal);
        foreach ((string host, IReadOnlyList<string> reach) in hosts)
        {
            answers[host] = await new CommandMemberHost(new HostSettings(host, "", reach), reach.Count == 0 ? Environment.ProcessPath! : program, TimeProvider.System).AskAsync(question, cancellationToken);
        }

        return PreflightRules.Judge(new PreflightPlan(AddressRanges.NetworkOf(settings.Address, settings.Prefix), settings.Link, addresses, ranges), answers);
    }

    private static void Show(TextWriter output, IReadOnlyList<Finding> findings, int hosts)
    {
        if (findings.Count == 0)
        {
            output.WriteLine($"nothing found on {hosts} {(hosts == 1 ? "host" : "hosts")}");
            return;
        }

        // Lines as they are: who reads them may be a program, or may copy the fix.
        foreach (Finding finding in findings)
        {
            output.WriteLine($"{(finding.Severe ? "severe" : "mind  ")} {finding.Check}{(finding.Host.Length > 0 ? $" on {finding.Host}" : "")}: {finding.What}");
            output.WriteLine($"       fix: {finding.Fix}");
        }
    }

    private static Command Backup()
    {
        Option<string> config = Config();
        Argument<string> file = new("file") { Description = "Where to; it holds all secrets of the control plane and is for its owner only" };
        Command command = new("backup", "Takes a backup of the whole control plane from the member on this host, while it runs") { config, file };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            MemberSettings settings = MemberSettingsFile.Load(parsed.GetRequiredValue(config));
            string path = Path.GetFullPath(parsed.GetRequiredValue(file));
            long bytes = await new ControlPlaneBackup(settings, TimeProvider.System).TakeAsync(path, cancellationToken);
            await parsed.InvocationConfiguration.Output.WriteLineAsync($"control plane {settings.Cluster}: {bytes >> 10} KiB of etcd and all authorities are in {path}");
        });
        return command;
    }

    private static Command Restore()
    {
        Option<string> config = Config();
        Argument<string> file = new("file") { Description = "A backup" };
        Command command = new("restore", "Puts a backup in the place of the data of the member on this host, which does not run; do it on every member's host, then start them all") { config, file };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            MemberSettings settings = MemberSettingsFile.Load(parsed.GetRequiredValue(config));
            (BackupManifest manifest, string? former) = await new ControlPlaneBackup(settings, TimeProvider.System).RestoreAsync(Path.GetFullPath(parsed.GetRequiredValue(file)), cancellationToken);
            await parsed.InvocationConfiguration.Output.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture, $"member {settings.Name} has the data of {manifest.TakenAt:u}, taken from {manifest.Member}{(former is null ? "" : $"; what was there is in {former}")}"));
        });
        return command;
    }

    private static Command Host()
    {
        Option<string> link = new("--link") { Required = true, Description = "The management link" };
        Option<string> directory = new("--directory") { Required = true, Description = "Where a member's data is to be" };
        Option<string[]> probe = new("--probe") { Description = "An address to look for on the link; may be repeated" };
        Option<string[]> names = new("--name") { Description = "A name to look for by DNS; may be repeated" };
        Option<string[]> programs = new("--program") { Description = "A program that must be there; may be repeated" };
        Option<string[]> versions = new("--version-of") { Description = "A program of Kubernetes whose version is wanted; may be repeated" };
        Command facts = new("facts", "Prints what preflight wants to know of this host, as JSON") { link, directory, probe, names, programs, versions };
        facts.SetAction(async (parsed, cancellationToken) =>
        {
            List<IPAddress> addresses = [];
            foreach (string text in parsed.GetValue(probe) ?? [])
            {
                addresses.Add(IPAddress.TryParse(text, out IPAddress? address) ? address : throw new SupervisorException(SupervisorFault.Settings, $"--probe '{text}' is no address"));
            }

            HostFacts found = await new HostFactsReader(TimeProvider.System).ReadAsync(
                new HostQuestion(parsed.GetRequiredValue(link), addresses, parsed.GetValue(names) ?? [], parsed.GetValue(programs) ?? [], parsed.GetRequiredValue(directory))
                {
                    Versions = parsed.GetValue(versions) ?? [],
                },
                cancellationToken);
            await parsed.InvocationConfiguration.Output.WriteLineAsync(found.ToJson());
        });
        return new Command("host", "What concerns one host") { facts, Put(), PutAll(), HostCertificateVerb.Build() };
    }

    private static Command Put()
    {
        Option<string> path = new("--path") { Required = true, Description = "The file" };
        Command command = new("put", "Writes standard input to a file for its owner only, whole or not at all") { path };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            string file = Path.GetFullPath(parsed.GetRequiredValue(path));
            using MemoryStream bytes = new();
            await using Stream input = Console.OpenStandardInput();
            await input.CopyToAsync(bytes, cancellationToken);
            Write(file, bytes.ToArray());
        });
        return command;
    }

    private static Command PutAll()
    {
        Command command = new("put-all", "Writes files, JSON with path and base64 of each on standard input, as put does");
        command.SetAction(static async (_, cancellationToken) =>
        {
            await using Stream input = Console.OpenStandardInput();
            foreach (FileToPut file in await JsonSerializer.DeserializeAsync(input, FileToPutJson.Default.FileToPutArray, cancellationToken) ?? [])
            {
                Write(Path.GetFullPath(file.Path), file.Bytes);
            }
        });
        return command;
    }

    private static void Write(string file, byte[] bytes)
    {
        PrivateFiles.MakeFolder(Path.GetDirectoryName(file)!);
        PrivateFiles.Write(file, bytes, secret: true);
    }

    private static Option<string> Config() => new("--config") { Required = true, Description = "The settings file of the member on this host" };
}
