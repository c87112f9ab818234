using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using CliWrap;
using CliWrap.Buffered;
using Vks.Supervisor.Network;

namespace Vks.Supervisor.ControlPlane;

/// <summary>A member's own address on the management link: put there when nobody else has it, taken off when the member that put it there stops.</summary>
/// <param name="settings">The member.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">The log.</param>
internal sealed partial class ManagementAddress(MemberSettings settings, TimeProvider time, ILogger<ManagementAddress> logger)
{
    private readonly string _marker = Path.Combine(settings.RunDirectory, "address");

    /// <summary>All addresses on the management link.</summary>
    public IReadOnlyList<IPAddress> OnLink =>
        [.. NetworkInterface.GetAllNetworkInterfaces().Where(link => link.Name == settings.Link)
            .SelectMany(static link => link.GetIPProperties().UnicastAddresses).Select(static held => held.Address).Where(static address => !address.IsIPv6LinkLocal)];

    /// <summary>Puts the address on the link; one that is there stays.</summary>
    /// <param name="cancellationToken">Ends the probing.</param>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Host"/>: another host has it, or <c>ip</c> refused.</exception>
    public async Task EnsureAsync(CancellationToken cancellationToken)
    {
        if (OnLink.Contains(settings.Address))
        {
            return;
        }

        IReadOnlyDictionary<IPAddress, PhysicalAddress> found = await AddressProbe.FindAsync(settings.Link, [settings.Address], time, cancellationToken);
        if (found.TryGetValue(settings.Address, out PhysicalAddress? other))
        {
            throw new SupervisorException(
                SupervisorFault.Host,
                $"putting {settings.Address} on {settings.Link}: the host with the hardware address {string.Join(':', other.GetAddressBytes().Select(static part => part.ToString("x2", CultureInfo.InvariantCulture)))} "
                + "has it already. Do: find that host (ip neighbour), or give this member another address");
        }

        // Known before it is done: what a crash leaves in between is a note about an address that is not there.
        await File.WriteAllTextAsync(_marker, settings.Address.ToString(), cancellationToken);
        string[] more = Family == "-6" ? ["nodad"] : [];
        await IpAsync(["address", "replace", $"{settings.Address}/{settings.Prefix}", "dev", settings.Link, .. more]);
        Added(settings.Address, settings.Link);
    }

    /// <summary>Takes the address off the link if this member put it there, in this run or one that was killed.</summary>
    public async Task RemoveAsync()
    {
        if (File.Exists(_marker))
        {
            await IpAsync(["address", "delete", $"{settings.Address}/{settings.Prefix}", "dev", settings.Link]);
            File.Delete(_marker);
        }
    }

    private string Family => settings.Address.AddressFamily == AddressFamily.InterNetworkV6 ? "-6" : "-4";

    private async Task IpAsync(IReadOnlyList<string> arguments)
    {
        BufferedCommandResult result = await Cli.Wrap("ip").WithArguments([Family, .. arguments]).WithValidation(CommandResultValidation.None).ExecuteBufferedAsync();
        if (result.ExitCode != 0)
        {
            throw new SupervisorException(SupervisorFault.Host, $"ip {string.Join(' ', arguments)} ended with {result.ExitCode}: {result.StandardError.Trim()}");
        }
    }

    [LoggerMessage(4010, LogLevel.Information, "Management address {Address}: put on {Link}")]
    private partial void Added(IPAddress address, string link);
}
