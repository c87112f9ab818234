using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text.Json;
using Vks.Spherelet.Node;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Machines;

/// <summary>What the host says of itself to whoever wants to put machines on it. Reads only.</summary>
internal sealed class HostReader(KeptMachineOptions options, TimeProvider time)
{
    private const int DiscardPort = 9;

    private static readonly TimeSpan s_lookup = TimeSpan.FromSeconds(5);

    /// <summary>How long neighbours may take to answer: the kernel asks three times, a second apart.</summary>
    private static readonly TimeSpan s_neighbours = TimeSpan.FromMilliseconds(1500);

    /// <summary>Looks.</summary>
    /// <param name="link">The link machines are to be on.</param>
    /// <param name="probe">Addresses to look for on that link.</param>
    /// <param name="cancellationToken">Ends the looking.</param>
    /// <exception cref="KeptMachineException"><see cref="KeptMachineFault.Invalid"/>: one of them is no address.</exception>
    public async Task<Vks.Machines.V1.Host> ReadAsync(string link, IReadOnlyList<string> probe, CancellationToken cancellationToken)
    {
        List<IPAddress> addresses = [.. probe.Select(static text => IPAddress.TryParse(text, out IPAddress? address)
            ? address
            : throw new KeptMachineException(KeptMachineFault.Invalid, "", $"probe '{text}' is no address."))];
        NetworkInterface? found = NetworkInterface.GetAllNetworkInterfaces().FirstOrDefault(known => known.Name == link);
        string name = Dns.GetHostName();
        Vks.Machines.V1.Host host = new()
        {
            HostName = name,
            LinkUp = found?.OperationalStatus is OperationalStatus.Up or OperationalStatus.Unknown,
            FreeBytes = new DriveInfo(options.RootDirectory).AvailableFreeSpace,
            MemoryMib = HostSize.Here.MemoryMiB,
        };
        host.OwnNameAddresses.AddRange(await FindAsync(name, cancellationToken));
        if (!File.Exists(options.Image))
        {
            host.MissingFiles.Add(options.Image);
        }
        else
        {
            foreach ((string program, string version) in await ImageVersions.ReadAsync(options.Image, cancellationToken))
            {
                host.Versions[program] = version;
            }
        }

        if (found is not null)
        {
            host.Mtu = await MtuAsync(link, cancellationToken) ?? 0;
            host.LinkAddresses.AddRange(found.GetIPProperties().UnicastAddresses.Select(static held => held.Address.ToString()));
            foreach ((string address, string hardware) in await TakenAsync(link, addresses, cancellationToken))
            {
                host.Taken[address] = hardware;
            }
        }

        if (await ClockErrorAsync(cancellationToken) is { } error)
        {
            host.ClockErrorSeconds = error;
        }

        // Last: the caller holds it against the times of its call.
        host.ClockUnixNanoseconds = UnixTime.Nanoseconds(time.GetUtcNow());
        return host;
    }

    /// <summary>Has the kernel ask for neighbours, by a datagram to each, and reads whom it found.</summary>
    private async Task<Dictionary<string, string>> TakenAsync(string link, List<IPAddress> addresses, CancellationToken cancellationToken)
    {
        if (addresses.Count == 0)
        {
            return [];
        }

        foreach (IPAddress address in addresses)
        {
            try
            {
                using Socket socket = new(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
                await socket.SendToAsync(new byte[1], SocketFlags.None, new IPEndPoint(address, DiscardPort), cancellationToken);
            }
            catch (SocketException)
            {
                // No route: this host has no address in that network, so it cannot ask.
            }
        }

        await Task.Delay(s_neighbours, time, cancellationToken);
        HostToolResult shown = await HostTool.RunAsync("ip", ["-json", "neigh", "show", "dev", link], "iproute2", cancellationToken);
        Dictionary<string, string> taken = [];
        if (shown.ExitCode == 0 && shown.Output.Length > 0)
        {
            using JsonDocument document = JsonDocument.Parse(shown.Output);
            foreach (JsonElement neighbour in document.RootElement.EnumerateArray())
            {
                if (neighbour.TryGetProperty("dst", out JsonElement dst) && IPAddress.TryParse(dst.GetString(), out IPAddress? address) && addresses.Contains(address)
                    && neighbour.TryGetProperty("lladdr", out JsonElement hardware) && IsFresh(neighbour))
                {
                    taken[address.ToString()] = hardware.GetString() ?? "";
                }
            }
        }

        // The host's own, too: nobody else would answer for it.
        foreach (UnicastIPAddressInformation held in NetworkInterface.GetAllNetworkInterfaces().SelectMany(static own => own.GetIPProperties().UnicastAddresses).Where(held => addresses.Contains(held.Address)))
        {
            taken[held.Address.ToString()] = "this host";
        }

        return taken;
    }

    private static bool IsFresh(JsonElement neighbour) =>
        neighbour.TryGetProperty("state", out JsonElement states) && states.EnumerateArray().Any(static state => state.GetString() is "REACHABLE" or "DELAY" or "PROBE" or "PERMANENT");

    private static async Task<IReadOnlyList<string>> FindAsync(string name, CancellationToken cancellationToken)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_lookup);
        try
        {
            return [.. (await Dns.GetHostAddressesAsync(name, limit.Token)).Select(static address => address.ToString())];
        }
        catch (Exception problem) when (problem is SocketException || (problem is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return [];
        }
    }

    private static async Task<int?> MtuAsync(string link, CancellationToken cancellationToken)
    {
        HostToolResult shown = await HostTool.RunAsync("ip", ["-json", "link", "show", "dev", link], "iproute2", cancellationToken);
        if (shown.ExitCode != 0)
        {
            return null;
        }

        using JsonDocument document = JsonDocument.Parse(shown.Output);
        return document.RootElement[0].GetProperty("mtu").GetInt32();
    }

    /// <summary>From chrony or systemd-timesyncd, whichever keeps the clock; null when neither does.</summary>
    private static async Task<double?> ClockErrorAsync(CancellationToken cancellationToken)
    {
        HostToolResult chrony = await HostTool.RunAsync("chronyc", ["-c", "tracking"], "chrony", cancellationToken);
        if (chrony.ExitCode == 0 && chrony.Text.Split(',') is { Length: > 4 } fields && fields[2] != "0" && double.TryParse(fields[4], CultureInfo.InvariantCulture, out double offset))
        {
            return Math.Abs(offset);
        }

        HostToolResult timesync = await HostTool.RunAsync("timedatectl", ["show", "--property=NTPSynchronized", "--value"], "systemd", cancellationToken);
        return timesync.ExitCode == 0 && timesync.Text.Trim() == "yes" ? 0 : null;
    }
}
