using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using CliWrap;
using CliWrap.Buffered;
using Vks.Runtime.Host;

namespace Vks.Tests.Kit;

/// <summary>
/// Hosts that are network namespaces, with cables to one bridge. The bridge is in a namespace of its own, from which clients come; nothing of it
/// is on this machine's own network.
/// </summary>
internal sealed class TestHosts : IAsyncDisposable
{
    private TestHosts(string name, string subnet)
    {
        Name = name;
        Subnet = subnet;
    }

    /// <summary>What all namespaces of it are named after.</summary>
    public string Name { get; }

    /// <summary>The hosts' network without the last number: <c>10.78.0</c>.</summary>
    public string Subnet { get; }

    /// <summary>The namespace of the bridge.</summary>
    public string Fabric => Name + "-f";

    /// <summary>The link of each host.</summary>
    public const string Link = "eth0";

    /// <summary>Makes hosts 1 to <paramref name="count"/>, with no addresses yet.</summary>
    public static async Task<TestHosts> CreateAsync(int count, string subnet = "10.78.0")
    {
        TestHosts hosts = new(string.Create(CultureInfo.InvariantCulture, $"vm{Random.Shared.Next() & 0xffffff:x6}"), subnet);
        try
        {
            await IpAsync("netns", "add", hosts.Fabric);
            await InAsync(hosts.Fabric, "ip", "link", "add", "bridge", "type", "bridge");
            await InAsync(hosts.Fabric, "ip", "address", "add", $"{subnet}.254/24", "dev", "bridge");
            await InAsync(hosts.Fabric, "ip", "link", "set", "bridge", "up");
            for (var number = 1; number <= count; number++)
            {
                await hosts.AddAsync(number);
            }

            return hosts;
        }
        catch
        {
            await hosts.DisposeAsync();
            throw;
        }
    }

    /// <summary>The namespace of a host.</summary>
    public string Host(int number) => string.Create(CultureInfo.InvariantCulture, $"{Name}-{number}");

    /// <summary>A host more.</summary>
    public async Task AddAsync(int number)
    {
        await IpAsync("netns", "add", Host(number));
        await IpAsync("link", "add", Cable(number), "netns", Fabric, "type", "veth", "peer", "name", Link, "netns", Host(number));
        await InAsync(Fabric, "ip", "link", "set", Cable(number), "master", "bridge", "up");
        await InAsync(Host(number), "ip", "link", "set", "lo", "up");
        await InAsync(Host(number), "ip", "link", "set", Link, "up");
    }

    /// <summary>Pulls a host's cable, or plugs it in again. The host's own end keeps its addresses.</summary>
    public Task CableAsync(int number, bool plugged) => InAsync(Fabric, "ip", "link", "set", Cable(number), plugged ? "up" : "down");

    /// <summary>Makes a zone of a host: it and clients beside it are on a switch of their own, which one link joins to all others.</summary>
    public async Task ZoneAsync(int number)
    {
        string zone = string.Create(CultureInfo.InvariantCulture, $"zone-{number}");
        string inner = string.Create(CultureInfo.InvariantCulture, $"down-{number}");
        string clients = string.Create(CultureInfo.InvariantCulture, $"client-{number}");
        await InAsync(Fabric, "ip", "link", "add", zone, "type", "bridge");
        await InAsync(Fabric, "ip", "link", "set", zone, "up");
        await InAsync(Fabric, "ip", "link", "add", Uplink(number), "type", "veth", "peer", "name", inner);
        await InAsync(Fabric, "ip", "link", "set", Uplink(number), "master", "bridge", "up");
        await InAsync(Fabric, "ip", "link", "set", inner, "master", zone, "up");
        await InAsync(Fabric, "ip", "link", "set", Cable(number), "master", zone);

        await IpAsync("netns", "add", ClientsOf(number));
        await IpAsync("link", "add", clients, "netns", Fabric, "type", "veth", "peer", "name", Link, "netns", ClientsOf(number));
        await InAsync(Fabric, "ip", "link", "set", clients, "master", zone, "up");
        await InAsync(ClientsOf(number), "ip", "address", "add", string.Create(CultureInfo.InvariantCulture, $"{Subnet}.{240 + number}/24"), "dev", Link);
        await InAsync(ClientsOf(number), "ip", "link", "set", Link, "up");
    }

    /// <summary>The namespace of clients in the zone of a host.</summary>
    public string ClientsOf(int number) => string.Create(CultureInfo.InvariantCulture, $"{Name}-z{number}");

    /// <summary>Cuts the link between a zone and all others, or mends it.</summary>
    public Task ZoneLinkAsync(int number, bool plugged) => InAsync(Fabric, "ip", "link", "set", Uplink(number), plugged ? "up" : "down");

    /// <summary>Cuts the link between two zones, or mends it; both still reach everybody else. Neither is told: what they send each other does not arrive.</summary>
    public async Task LinkBetweenAsync(int one, int other, bool plugged)
    {
        // A bridge does not forward from one isolated port to another.
        foreach (int number in new[] { one, other })
        {
            await InAsync(Fabric, "ip", "link", "set", Uplink(number), "type", "bridge_slave", "isolated", plugged ? "off" : "on");
        }
    }

    /// <summary>Runs a program in a namespace; the test fails when it does.</summary>
    public static async Task<string> InAsync(string space, params string[] command)
    {
        BufferedCommandResult result = await Cli.Wrap("ip").WithArguments(["netns", "exec", space, .. command]).WithValidation(CommandResultValidation.None).ExecuteBufferedAsync();
        Assert.True(result.ExitCode == 0, $"{string.Join(' ', command)} in {space} ended with {result.ExitCode}: {result.StandardError}{result.StandardOutput}");
        return result.StandardOutput;
    }

    /// <summary>Does something on a thread that is in a namespace. A socket that it makes stays there.</summary>
    public static Task<T> WithinAsync<T>(string space, Func<T> work) => DedicatedThread.RunAsync("in-netns", () =>
    {
        DedicatedThread.EnterNetns("/run/netns/" + space);
        return work();
    });

    /// <summary>A client's connections, from the namespace of the bridge.</summary>
    public ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken) => ConnectFromAsync(Fabric, context, cancellationToken);

    /// <summary>A client's connections, from a namespace.</summary>
    public static async ValueTask<Stream> ConnectFromAsync(string space, SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        Socket socket = await WithinAsync(space, static () => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
        try
        {
            await socket.ConnectAsync(IPAddress.Parse(context.DnsEndPoint.Host), context.DnsEndPoint.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>The hardware address of a host's link.</summary>
    public Task<PhysicalAddress> HardwareAsync(int number) =>
        WithinAsync(Host(number), static () => NetworkInterface.GetAllNetworkInterfaces().Single(static link => link.Name == Link).GetPhysicalAddress());

    public async ValueTask DisposeAsync()
    {
        List<string> busy = [];
        foreach (string space in Directory.GetFiles("/run/netns", Name + "-*").Select(static file => Path.GetFileName(file)))
        {
            // What was killed may need a moment to be gone.
            string inside = "";
            for (var tries = 0; tries < 100 && (inside = await PidsAsync(space)).Length > 0; tries++)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100));
            }

            busy.AddRange(inside.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(pid => $"{space}: {pid} {Describe(pid)}"));
            await Cli.Wrap("ip").WithArguments(["netns", "delete", space]).WithValidation(CommandResultValidation.None).ExecuteAsync();
        }

        Assert.Empty(busy);
        Assert.Empty(Directory.GetFiles("/run/netns", Name + "-*"));
    }

    private static string Cable(int number) => string.Create(CultureInfo.InvariantCulture, $"to-{number}");

    private static string Uplink(int number) => string.Create(CultureInfo.InvariantCulture, $"up-{number}");

    private static async Task<string> PidsAsync(string space) =>
        (await Cli.Wrap("ip").WithArguments(["netns", "pids", space]).WithValidation(CommandResultValidation.None).ExecuteBufferedAsync()).StandardOutput;

    private static string Describe(string pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/cmdline").Replace('\0', ' ');
        }
        catch (IOException)
        {
            return "(gone)";
        }
    }

    private static async Task IpAsync(params string[] arguments)
    {
        BufferedCommandResult result = await Cli.Wrap("ip").WithArguments(arguments).WithValidation(CommandResultValidation.None).ExecuteBufferedAsync();
        Assert.True(result.ExitCode == 0, $"ip {string.Join(' ', arguments)} ended with {result.ExitCode}: {result.StandardError}");
    }
}
