using System.Globalization;
using Vks.Agent.Channel;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Network;

/// <summary>Sets up the guest's interfaces and routes.</summary>
internal static class Interfaces
{
    private const string SysNet = "/sys/class/net";

    /// <summary>Brings up lo, then every interface, then the routes in order.</summary>
    internal static void Configure(GuestPersonality personality)
    {
        using var netlink = new Netlink();
        try
        {
            netlink.Send(LinkMessages.SetUp(1, true), "Bringing up lo");
            foreach (GuestInterface wanted in personality.Interfaces)
            {
                Configure(netlink, wanted);
            }

            foreach (GuestRoute route in personality.Routes)
            {
                netlink.Send(
                    LinkMessages.Route(route.Destination, route.Gateway, IndexOf(route.Interface), route.Mtu),
                    $"Adding the route to {route.Destination} via {route.Gateway ?? "the link"} on {route.Interface}");
            }
        }
        catch (FormatException exception)
        {
            throw new AgentException(GuestFault.InvalidRequest, exception.Message, exception);
        }
    }

    /// <summary>Takes addresses and routes of a rehearsal back and leaves its interfaces down, so that they are found by who comes next.</summary>
    internal static void Withdraw(GuestPersonality personality)
    {
        using var netlink = new Netlink();
        foreach (GuestInterface had in personality.Interfaces)
        {
            int index = IndexOf(had.Name);
            foreach (string address in had.Addresses)
            {
                netlink.Send(LinkMessages.Withdraw(index, address), $"Taking {address} from {had.Name}");
            }

            netlink.Send(LinkMessages.SetUp(index, false), $"Taking down {had.Name}");
        }
    }

    /// <summary>Goes through the kernel's and our code without changing anything.</summary>
    internal static void Look()
    {
        using var netlink = new Netlink();
        foreach (string path in Directory.GetDirectories(SysNet))
        {
            if (Directory.Exists(Path.Combine(path, "device")) && IsDown(path))
            {
                netlink.Send(LinkMessages.SetUp(IndexOf(Path.GetFileName(path)), false), $"Leaving {path} down");
            }
        }
    }

    private static void Configure(Netlink netlink, GuestInterface wanted)
    {
        byte[] mac = LinkMessages.ParseMac(wanted.Mac);
        (string name, bool hasMac) = Find(wanted);
        int index = IndexOf(name);
        netlink.Send(LinkMessages.SetUp(index, false), $"Taking down {name}");
        netlink.Send(
            LinkMessages.Change(index, name == wanted.Name ? null : wanted.Name, wanted.Mtu, hasMac ? null : mac),
            $"Making {name} {wanted.Name} with MTU {wanted.Mtu} and MAC {wanted.Mac}");
        netlink.Send(LinkMessages.SetUp(index, true), $"Bringing up {wanted.Name}");
        foreach (string address in wanted.Addresses)
        {
            netlink.Send(LinkMessages.Address(index, address), $"Adding {address} to {wanted.Name}");
        }
    }

    /// <summary>By MAC; in a clone, whose device still has the template's, the first real device that is down.</summary>
    private static (string Name, bool HasMac) Find(GuestInterface wanted)
    {
        string? spare = null;
        foreach (string path in Directory.GetDirectories(SysNet).Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileName(path);
            if (string.Equals(Read(path, "address"), wanted.Mac, StringComparison.OrdinalIgnoreCase))
            {
                return (name, true);
            }

            if (spare is null && Directory.Exists(Path.Combine(path, "device")) && (IsDown(path) || name == wanted.Name))
            {
                spare = name;
            }
        }

        return spare is not null
            ? (spare, false)
            : throw new AgentException(GuestFault.NotFound, $"The guest has no network device with MAC {wanted.Mac} and no unused one for {wanted.Name}.");
    }

    private static bool IsDown(string path) =>
        (Convert.ToUInt32(Read(path, "flags"), 16) & 1) == 0;

    private static int IndexOf(string name)
    {
        string path = Path.Combine(SysNet, name);
        return Directory.Exists(path)
            ? int.Parse(Read(path, "ifindex"), CultureInfo.InvariantCulture)
            : throw new AgentException(GuestFault.NotFound, $"The guest has no interface '{name}'.");
    }

    private static string Read(string path, string file) => File.ReadAllText(Path.Combine(path, file)).Trim();
}
