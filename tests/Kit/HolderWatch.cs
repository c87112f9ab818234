using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Text.RegularExpressions;
using CliWrap;
using Vks.Supervisor.Network;

namespace Vks.Tests.Kit;

/// <summary>
/// Watches who has an address, in two ways that know nothing of each other: what each host's kernel says of addresses that come and go, and
/// who answers when the network asks, five times a second.
/// </summary>
internal sealed partial class HolderWatch : IAsyncDisposable
{
    private static readonly TimeSpan s_round = TimeSpan.FromMilliseconds(200);

    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<(int Host, DateTime At, bool Has)> _events = [];
    private readonly ConcurrentQueue<string> _twoAnswers = [];
    private readonly List<Task> _running = [];
    private int _answers;

    /// <summary>How many rounds had an answer.</summary>
    public int Answers => _answers;

    /// <summary>Begins to watch.</summary>
    public static async Task<HolderWatch> StartAsync(TestHosts hosts, IEnumerable<int> numbers, string address)
    {
        HolderWatch watch = new();
        foreach (int number in numbers)
        {
            watch._running.Add(watch.MonitorAsync(hosts.Host(number), number, address));
        }

        PacketSocket socket = await TestHosts.WithinAsync(hosts.Fabric, static () => PacketSocket.Open("bridge", receive: true));
        watch._running.Add(watch.AskAsync(socket, IPAddress.Parse(address)));
        return watch;
    }

    /// <summary>Ends the watch and tells each time that two hosts had the address at once, in words; empty when there was none.</summary>
    public async Task<IReadOnlyList<string>> DoublesAsync()
    {
        await StopAsync();
        List<string> found = [.. _twoAnswers];
        HashSet<int> holders = [];
        foreach ((int host, DateTime at, bool has) in _events.OrderBy(static one => one.At))
        {
            if (!has)
            {
                holders.Remove(host);
            }
            else if (holders.Add(host) && holders.Count > 1)
            {
                found.Add($"{at:HH:mm:ss.ffffff}: on hosts {string.Join(" and ", holders)}");
            }
        }

        return found;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
    }

    private async Task StopAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_running);
    }

    private async Task MonitorAsync(string space, int number, string address)
    {
        try
        {
            await Cli.Wrap("ip").WithArguments(["netns", "exec", space, "stdbuf", "-oL", "ip", "-ts", "-o", "monitor", "address"])
                .WithStandardOutputPipe(PipeTarget.ToDelegate(line =>
                {
                    Match match = Line().Match(line);
                    if (match.Success && match.Groups["address"].Value == address)
                    {
                        _events.Enqueue((number, DateTime.Parse(match.Groups["at"].Value, CultureInfo.InvariantCulture), !match.Groups["gone"].Success));
                    }
                }))
                .ExecuteAsync(_stop.Token);
        }
        catch (OperationCanceledException)
        {
            // Ended by us.
        }
    }

    private async Task AskAsync(PacketSocket socket, IPAddress address)
    {
        using PacketSocket owned = socket;
        byte[] buffer = new byte[2048];
        while (!_stop.IsCancellationRequested)
        {
            socket.Send(NeighbourFrames.Probe(address, socket.Hardware));
            HashSet<PhysicalAddress> answers = [];
            using CancellationTokenSource round = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
            round.CancelAfter(s_round);
            try
            {
                while (true)
                {
                    int length = await socket.ReceiveAsync(buffer, round.Token);

                    // A reply to us; announcements are to all.
                    if (buffer[21] == 2 && NeighbourFrames.Claimant(buffer.AsSpan(0, length), address) is { } who)
                    {
                        answers.Add(who);
                    }
                }
            }
            catch (OperationCanceledException)
            {
                _answers += answers.Count > 0 ? 1 : 0;
            }

            if (answers.Count > 1)
            {
                _twoAnswers.Enqueue($"one question was answered by {string.Join(" and ", answers)}");
            }
        }
    }

    [GeneratedRegex(@"^\[(?<at>[^\]]+)\] (?<gone>Deleted )?.* inet6? (?<address>[^/ ]+)/")]
    private static partial Regex Line();
}
