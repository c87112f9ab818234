using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using CliWrap;
using CliWrap.Buffered;
using Vks.Supervisor.Network;

namespace Vks.Supervisor.Hosts;

/// <summary>Looks at this host. Reads only.</summary>
/// <param name="time">The clock.</param>
internal sealed class HostFactsReader(TimeProvider time)
{
    private static readonly TimeSpan s_dns = TimeSpan.FromSeconds(5);

    /// <summary>Answers a question.</summary>
    /// <param name="question">The question.</param>
    /// <param name="cancellationToken">Ends the looking.</param>
    public async Task<HostFacts> ReadAsync(HostQuestion question, CancellationToken cancellationToken)
    {
        NetworkInterface? link = NetworkInterface.GetAllNetworkInterfaces().FirstOrDefault(known => known.Name == question.Link);
        string name = Dns.GetHostName();
        Dictionary<string, string> names = new(StringComparer.Ordinal);
        foreach (string wanted in question.Names)
        {
            names[wanted] = string.Join(' ', await FindAsync(wanted, cancellationToken));
        }

        return new HostFacts
        {
            HostName = name,
            OwnNameAddresses = await FindAsync(name, cancellationToken),
            ClockErrorSeconds = await ClockErrorAsync(cancellationToken),
            Mtu = link is null ? null : await MtuAsync(question.Link, cancellationToken),
            LinkUp = link?.OperationalStatus is OperationalStatus.Up or OperationalStatus.Unknown,
            RpFilter = Math.Max(Setting("all"), Setting(question.Link)),
            Routes = await RoutesAsync(cancellationToken),
            LinkAddresses = link is null ? [] : [.. link.GetIPProperties().UnicastAddresses.Select(static held => held.Address.ToString())],
            Names = names,
            Taken = link is null ? new Dictionary<string, string>() : await TakenAsync(question, cancellationToken),
            MissingPrograms = [.. question.Programs.Where(static program => !Exists(program))],
            Versions = await VersionsAsync(question.Versions, cancellationToken),
            FreeBytes = FreeBytes(question.Directory),
            Clock = time.GetUtcNow(),
        };
    }

    private async Task<Dictionary<string, string>> TakenAsync(HostQuestion question, CancellationToken cancellationToken)
    {
        IReadOnlyDictionary<IPAddress, PhysicalAddress> found = await AddressProbe.FindAsync(question.Link, question.Probe, time, cancellationToken);
        return found.ToDictionary(static one => one.Key.ToString(), static one => string.Join(':', one.Value.GetAddressBytes().Select(static part => part.ToString("x2", CultureInfo.InvariantCulture))));
    }

    private static async Task<IReadOnlyList<string>> FindAsync(string name, CancellationToken cancellationToken)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_dns);
        try
        {
            return [.. (await Dns.GetHostAddressesAsync(name, limit.Token)).Select(static address => address.ToString())];
        }
        catch (Exception problem) when (problem is SocketException || (problem is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return [];
        }
    }

    /// <summary>From chrony or systemd-timesyncd, whichever keeps the clock.</summary>
    private static async Task<double?> ClockErrorAsync(CancellationToken cancellationToken)
    {
        BufferedCommandResult? chrony = await TryAsync("chronyc", ["-c", "tracking"], cancellationToken);
        if (chrony is { ExitCode: 0 } && chrony.StandardOutput.Split(',') is { Length: > 4 } fields && double.TryParse(fields[4], CultureInfo.InvariantCulture, out double offset) && fields[2] != "0")
        {
            return Math.Abs(offset);
        }

        BufferedCommandResult? timesync = await TryAsync("timedatectl", ["show", "--property=NTPSynchronized", "--value"], cancellationToken);
        return timesync is { ExitCode: 0 } && timesync.StandardOutput.Trim() == "yes" ? 0 : null;
    }

    private static async Task<int?> MtuAsync(string link, CancellationToken cancellationToken)
    {
        BufferedCommandResult? shown = await TryAsync("ip", ["-o", "link", "show", "dev", link], cancellationToken);
        string[] words = shown?.StandardOutput.Split(' ') ?? [];
        int at = Array.IndexOf(words, "mtu");
        return at >= 0 && int.TryParse(words[at + 1], CultureInfo.InvariantCulture, out int mtu) ? mtu : null;
    }

    private static async Task<IReadOnlyList<HostRoute>> RoutesAsync(CancellationToken cancellationToken)
    {
        List<HostRoute> routes = [];
        foreach (string family in new[] { "-4", "-6" })
        {
            BufferedCommandResult? shown = await TryAsync("ip", [family, "-o", "route", "show", "table", "main"], cancellationToken);
            foreach (string[] words in (shown?.StandardOutput ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)))
            {
                int at = Array.IndexOf(words, "dev");
                string range = words[0].Contains('/', StringComparison.Ordinal) ? words[0] : words[0] + (family == "-4" ? "/32" : "/128");
                if (at > 0 && words[0] != "default" && !range.StartsWith("fe80:", StringComparison.Ordinal))
                {
                    routes.Add(new HostRoute(range, words[at + 1]));
                }
            }
        }

        return routes;
    }

    /// <summary>Kubernetes' programs say <c>Kubernetes v1.20.2</c>.</summary>
    private static async Task<IReadOnlyDictionary<string, string>> VersionsAsync(IReadOnlyList<string> programs, CancellationToken cancellationToken)
    {
        Dictionary<string, string> found = new(StringComparer.Ordinal);
        foreach (string program in programs)
        {
            BufferedCommandResult? said = await TryAsync(program, ["--version"], cancellationToken);
            if (said is { ExitCode: 0 } && said.StandardOutput.Trim().Split(' ') is [.., { Length: > 0 } version])
            {
                found[program] = version;
            }
        }

        return found;
    }

    private static int Setting(string link)
    {
        string file = $"/proc/sys/net/ipv4/conf/{link}/rp_filter";
        return File.Exists(file) && int.TryParse(File.ReadAllText(file), CultureInfo.InvariantCulture, out int value) ? value : 0;
    }

    private static bool Exists(string program) =>
        program.Contains('/', StringComparison.Ordinal)
            ? File.Exists(program)
            : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));

    private static long FreeBytes(string directory)
    {
        string? folder = directory;
        while (folder is not null && !Directory.Exists(folder))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return new DriveInfo(folder ?? "/").AvailableFreeSpace;
    }

    private static async Task<BufferedCommandResult?> TryAsync(string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        try
        {
            return await Cli.Wrap(program).WithArguments(arguments).WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(cancellationToken);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            // Not installed: one of several that may be.
            return null;
        }
    }
}
