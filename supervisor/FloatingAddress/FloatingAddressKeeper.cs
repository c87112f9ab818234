using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Grpc.Core;
using Vks.Supervisor.Network;

namespace Vks.Supervisor.FloatingAddress;

/// <summary>Keeps the floating address at this member while this member should have it, and only then.</summary>
/// <remarks>One loop does everything in turn, so nothing is under way when it decides anew.</remarks>
/// <param name="settings">Whose, where and which.</param>
/// <param name="store">The record in etcd.</param>
/// <param name="link">The address on the link.</param>
/// <param name="fit">Whether the address may be with this member now; see <see cref="HolderRule"/>.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">The log.</param>
internal sealed partial class FloatingAddressKeeper(
    KeeperSettings settings, ClaimStore store, LinkAddress link, Func<bool> fit, TimeProvider time, ILogger<FloatingAddressKeeper> logger)
{
    /// <summary>A neighbour that missed the first announcements, or took a late one of a former holder, learns from the next.</summary>
    private const int AnnounceEvery = 10;

    private readonly AddressClaim _claim = new(settings.Member, Guid.NewGuid().ToString("N"));
    private readonly long _begin = time.GetTimestamp();
    private readonly TaskCompletionSource _leaving = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _has;
    private int _announced;
    private string? _problem;

    /// <summary>Whether the address was on the link of this member when last looked at.</summary>
    public bool Has => _has;

    /// <summary>The member that has the address as far as this one knows, or null.</summary>
    public string? Holder { get; private set; }

    /// <summary>Completes when this member has been told, in etcd, to leave the control plane. From then on it does not take the address any more.</summary>
    public Task Leaving => _leaving.Task;

    /// <summary>Takes the address off the link when an earlier run left it there: it is not ours.</summary>
    public Task ClearAsync() => link.RemoveAsync();

    /// <summary>Runs until it is told to stop; then the address is off the link and free for others.</summary>
    /// <param name="cancellationToken">Tells it to stop.</param>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            await StepAsync(fit() && !Leaving.IsCompleted, cancellationToken);
            try
            {
                await Task.Delay(_claim.Pause(Now), time, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                // Said at the top.
            }
        }

        await StepAsync(isFit: false, CancellationToken.None);
        if (_has)
        {
            await LeaveAsync("the member stops");
        }
    }

    private TimeSpan Now => time.GetElapsedTime(_begin);

    private async Task StepAsync(bool isFit, CancellationToken cancellationToken)
    {
        try
        {
            if (_has && !isFit)
            {
                await LeaveAsync("this member does not serve the API");
            }

            switch (_claim.Next(Now, isFit))
            {
                case ClaimStep.Look:
                    (long revision, AddressRecord? record, bool leaving) = await store.ReadAsync(cancellationToken);
                    _claim.Seen(revision, record, Now);
                    Note(leaving);
                    break;
                case ClaimStep.Write write:
                    await WriteAsync(write, cancellationToken);
                    break;
                case ClaimStep.GiveUp giveUp:
                    await LeaveAsync("this member does not serve the API");
                    await TryWriteAsync(giveUp.Revision, giveUp.Record, cancellationToken);
                    break;
                case var other:
                    throw new System.Diagnostics.UnreachableException($"{other}");
            }

            if (_problem is not null)
            {
                Recovered(settings.Address);
                _problem = null;
            }
        }
        catch (Exception problem) when (problem is RpcException or SupervisorException or JsonException || (problem is OperationCanceledException && cancellationToken.IsCancellationRequested))
        {
            // Nothing known: look first. The address goes by itself when its time is over.
            _claim.Forget();
            Report(problem);
        }

        Holder = _claim.Holder;
        if (_has && !link.IsThere)
        {
            _has = false;
            Lapsed(settings.Address, settings.Link);
        }
    }

    private async Task WriteAsync(ClaimStep.Write write, CancellationToken cancellationToken)
    {
        string? before = _claim.Holder;
        long sent = time.GetTimestamp();
        if (!await TryWriteAsync(write.Revision, write.Record, cancellationToken))
        {
            if (_has)
            {
                await LeaveAsync("another member took it");
            }

            return;
        }

        if (!await link.HoldAsync(sent + (long)(ClaimTiming.Hold.TotalSeconds * time.TimestampFrequency)))
        {
            TooSlow(settings.Address, time.GetElapsedTime(sent).TotalSeconds);
            return;
        }

        if (!_has)
        {
            _has = true;
            _announced = 0;
            Taken(settings.Address, settings.Link, before ?? "nobody");
        }

        Announce();
    }

    private async Task<bool> TryWriteAsync(long revision, AddressRecord record, CancellationToken cancellationToken)
    {
        (long? written, bool leaving) = await store.TryWriteAsync(revision, record, cancellationToken);
        Note(leaving);
        if (written is { } now)
        {
            _claim.Written(now, record, Now);
            return true;
        }

        _claim.Forget();
        return false;
    }

    private void Note(bool leaving)
    {
        if (leaving && _leaving.TrySetResult())
        {
            ToLeave(settings.Address, settings.Member);
        }
    }

    private void Announce()
    {
        int turn = _announced++;
        if (turn > 2 && turn % AnnounceEvery != 0)
        {
            return;
        }

        try
        {
            using PacketSocket socket = PacketSocket.Open(settings.Link, receive: false);
            socket.Send(NeighbourFrames.Announcement(settings.Address, socket.Hardware));
        }
        catch (Exception problem) when (problem is SocketException or SupervisorException)
        {
            // A link that is down takes none; the next turn sends again.
            NotAnnounced(settings.Address, settings.Link, problem.Message);
        }
    }

    private async Task LeaveAsync(string why)
    {
        await link.RemoveAsync();
        if (_has)
        {
            _has = false;
            Left(settings.Address, settings.Link, why);
        }
    }

    private void Report(Exception problem)
    {
        string text = problem is RpcException rpc ? $"etcd: {rpc.StatusCode} {rpc.Status.Detail}" : problem.Message;
        if (_problem != text && problem is not OperationCanceledException)
        {
            _problem = text;
            Trouble(settings.Address, text);
        }
    }

    [LoggerMessage(4100, LogLevel.Information, "Floating address {Address}: taken on {Link}; before it was with {Before}")]
    private partial void Taken(IPAddress address, string link, string before);

    [LoggerMessage(4101, LogLevel.Information, "Floating address {Address}: taken off {Link}: {Why}")]
    private partial void Left(IPAddress address, string link, string why);

    [LoggerMessage(4102, LogLevel.Warning, "Floating address {Address}: its time on {Link} was over before it could be renewed")]
    private partial void Lapsed(IPAddress address, string link);

    [LoggerMessage(4103, LogLevel.Warning, "Floating address {Address}: not put on the link, for telling the kernel came {Seconds:0.0} s after the heartbeat was sent")]
    private partial void TooSlow(IPAddress address, double seconds);

    [LoggerMessage(4104, LogLevel.Warning, "Floating address {Address}: not announced on {Link}: {Problem}")]
    private partial void NotAnnounced(IPAddress address, string link, string problem);

    [LoggerMessage(4105, LogLevel.Warning, "Floating address {Address}: who has it is unknown for now: {Problem}")]
    private partial void Trouble(IPAddress address, string problem);

    [LoggerMessage(4106, LogLevel.Information, "Floating address {Address}: etcd answers again")]
    private partial void Recovered(IPAddress address);

    [LoggerMessage(4107, LogLevel.Information, "Floating address {Address}: member {Member} is to leave and does not take it any more")]
    private partial void ToLeave(IPAddress address, string member);
}
