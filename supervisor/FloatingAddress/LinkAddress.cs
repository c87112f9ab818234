using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using CliWrap;
using CliWrap.Buffered;

namespace Vks.Supervisor.FloatingAddress;

/// <summary>The floating address on this host's link: there for a time that the kernel ends by itself.</summary>
/// <remarks>
/// The kernel takes lifetimes counted from when it is told, not moments. So that a process that stands still between the reckoning and the
/// telling never gives an address more time than it has, a small script does both under an alarm; see <c>hold-address.pl</c>. It is Perl's
/// because perl-base is part of every Debian, and neither .NET nor a shell has an alarm that outlives exec.
/// </remarks>
/// <param name="link">The link.</param>
/// <param name="address">The address.</param>
/// <param name="time">The clock.</param>
internal sealed partial class LinkAddress(string link, IPAddress address, TimeProvider time)
{
    /// <summary>sysexits.h EX_TEMPFAIL, from the script: it was too late.</summary>
    private const int TooLate = 75;

    /// <summary>128 + SIGALRM, as CliWrap and .NET report a death by it.</summary>
    private const int Alarmed = 142;

    private readonly string _family = address.AddressFamily == AddressFamily.InterNetworkV6 ? "-6" : "-4";
    private readonly string _host = address.AddressFamily == AddressFamily.InterNetworkV6 ? $"{address}/128" : $"{address}/32";

    /// <summary>The script; see the type's remarks.</summary>
    public static string Script { get; } = ReadScript();

    /// <summary>Whether this host has the address now.</summary>
    public bool IsThere =>
        NetworkInterface.GetAllNetworkInterfaces().Any(known => known.GetIPProperties().UnicastAddresses.Any(held => held.Address.Equals(address)));

    /// <summary>Puts the address on the link, or lets it stay there, so that it is due to go at a moment at the latest.</summary>
    /// <param name="until">The moment, of <see cref="TimeProvider.GetTimestamp"/>.</param>
    /// <returns>False when it was too late, and nothing was changed.</returns>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Host"/>: <c>ip</c> refused.</exception>
    public async Task<bool> HoldAsync(long until)
    {
        // First the boot clock, then ours: if we are stopped in between, the moment comes out too early, never too late.
        double uptime = Uptime();
        double left = time.GetElapsedTime(time.GetTimestamp(), until).TotalSeconds;
        List<string> command = ["ip", _family, "address", "replace", _host, "dev", link];
        if (_family == "-6")
        {
            // Whether the address is free is known already, and a second's tentativeness would be a second without it.
            command.Add("nodad");
        }

        // Not cancelled by anybody: whoever goes on after this must know that nothing is under way any more. The alarm is its limit.
        BufferedCommandResult result = await Cli.Wrap("perl")
            .WithArguments(["-e", Script, (uptime + left).ToString("F2", CultureInfo.InvariantCulture), .. command])
            .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync();
        return result.ExitCode switch
        {
            0 => true,
            TooLate or Alarmed => false,
            _ => throw new SupervisorException(
                SupervisorFault.Host, $"putting the floating address {_host} on {link}: ip ended with {result.ExitCode}: {result.StandardError.Trim()}. Do: ip link show {link}"),
        };
    }

    /// <summary>Takes the address off the link; none there is no error.</summary>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Host"/>: it is still there.</exception>
    public async Task RemoveAsync()
    {
        BufferedCommandResult result = await Cli.Wrap("ip").WithArguments([_family, "address", "delete", _host, "dev", link])
            .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync();
        if (IsThere)
        {
            throw new SupervisorException(
                SupervisorFault.Host, $"taking the floating address {_host} off {link}: it is still there; ip ended with {result.ExitCode}: {result.StandardError.Trim()}");
        }
    }

    private static double Uptime() => double.Parse(Seconds().Match(File.ReadAllText("/proc/uptime")).Value, CultureInfo.InvariantCulture);

    private static string ReadScript()
    {
        using Stream stream = typeof(LinkAddress).Assembly.GetManifestResourceStream("hold-address.pl") ?? throw new InvalidOperationException("hold-address.pl is not in the assembly");
        using StreamReader reader = new(stream);
        return reader.ReadToEnd();
    }

    [GeneratedRegex(@"^[0-9.]+")]
    private static partial Regex Seconds();
}
