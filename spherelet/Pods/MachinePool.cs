using System.Threading.Channels;
using Vks.Runtime.Machines;
using Vks.Runtime.Templates;
using Vks.Spherelet.Network;

namespace Vks.Spherelet.Pods;

/// <summary>Machines that run before there are pods for them, as many as pods have lately come at once, within a budget of memory.</summary>
/// <remarks>
/// A member has the namespace, tap, folder, cgroup, user id and disk of one pod to be, whose id it is named after; the pod that takes it brings the
/// rest with its personality. Only the loop makes and ends members. A pod never waits for it: what is not ready is a miss, and its machine is started
/// as if there were no pool. Members do not outlive the daemon: it ends them when it ends, and one that was killed leaves them to the next, which
/// takes them for what they are, namely unfinished (<see cref="MachineSpec.Spare"/>).
/// </remarks>
internal sealed partial class MachinePool : IAsyncDisposable
{
    /// <summary>Refills that the expectation of the next one rests on.</summary>
    private const int Remembered = 8;

    private const long MiB = 1024 * 1024;

    private readonly CrxEngine _engine;
    private readonly IPodNetwork _network;
    private readonly PodShare _share;
    private readonly PodStore _store;
    private readonly Rehearsal _rehearsal;
    private readonly PodOptions _pods;
    private readonly PoolOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private readonly Dictionary<TemplateShape, Shelf> _shelves = [];
    private readonly Queue<(TimeSpan Time, long Bytes)> _refills = new();
    private readonly Channel<bool> _news = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _ending = new();
    private readonly PoolTelemetry? _telemetry;
    private readonly TemplateShape _usual;
    private Task _loop = Task.CompletedTask;
    private DateTimeOffset _courtesyEnds = DateTimeOffset.MinValue;
    private bool _started;
    private int _disposed;
    private long _hits;
    private long _misses;
    private long _refilled;
    private long _failures;
    private long _dropped;

    /// <summary>An empty pool; <see cref="Start"/> fills it.</summary>
    public MachinePool(
        CrxEngine engine, IPodNetwork network, PodShare share, PodStore store, Rehearsal rehearsal, PodOptions pods, PoolOptions options, TimeProvider time, ILogger<MachinePool> logger)
    {
        (_engine, _network, _share, _store, _rehearsal, _pods, _options, _time, _logger) = (engine, network, share, store, rehearsal, pods, options, time, logger);
        _usual = new TemplateShape(pods.DefaultVcpuCount, pods.DefaultMemoryMiB, pods.ScratchMiB, HasNetwork: true, HasShare: true);
        _telemetry = options.MemoryMiB > 0 ? new PoolTelemetry(() => Report) : null;
    }

    /// <summary>The pool now.</summary>
    public PoolReport Report
    {
        get
        {
            lock (_lock)
            {
                return new PoolReport
                {
                    BudgetBytes = _options.MemoryMiB * MiB,
                    Shelves = Look(),
                    Hits = _hits,
                    Misses = _misses,
                    Refills = _refilled,
                    Failures = _failures,
                    Dropped = _dropped,
                    RefillTime = RefillTime,
                };
            }
        }
    }

    /// <summary>What one more member is expected to take of the host's memory: a little more than the latest did, since guests differ.</summary>
    private long MemberBytes => _refills.Count == 0 ? 64 * MiB : _refills.Max(static refill => refill.Bytes);

    private TimeSpan RefillTime =>
        _options.Courtesy + (_refills.Count == 0 ? TimeSpan.FromSeconds(2) : TimeSpan.FromTicks((long)_refills.Average(static refill => refill.Time.Ticks)));

    /// <summary>Begins to fill it. Without a budget nothing happens, now or later.</summary>
    public void Start()
    {
        if (_options.MemoryMiB > 0 && !_started)
        {
            lock (_lock)
            {
                _started = true;
                _shelves[_usual] = new Shelf(_options.Keep, least: 1);
            }

            _loop = Task.Run(RunAsync);
        }
    }

    /// <summary>Takes a member of that very shape out of the pool; it is the caller's from then on. Tells the pool that a pod came.</summary>
    /// <param name="spec">What the pod's machine is to be, without its id.</param>
    /// <returns>The member, or null: none is ready.</returns>
    public PoolMember? TryTake(MachineSpec spec)
    {
        if (!_started || spec.Isolated || spec.Network is null || spec.SharedDirectory is null)
        {
            return null;
        }

        PoolMember? member;
        lock (_lock)
        {
            TemplateShape shape = new(spec.VcpuCount, spec.MemoryMiB, spec.ScratchMiB, HasNetwork: true, HasShare: true);
            if (!_shelves.TryGetValue(shape, out Shelf? shelf))
            {
                _shelves[shape] = shelf = new Shelf(_options.Keep, least: 0);
            }

            DateTimeOffset now = _time.GetUtcNow();
            shelf.Demand.Arrive(now);
            if (now >= _courtesyEnds)
            {
                _courtesyEnds = now + _options.Courtesy;
            }

            member = shelf.Members.Find(static ready => ready.Machine.Current.State == MachineState.Running);
            if (member is not null)
            {
                shelf.Members.Remove(member);
            }

            _ = member is null ? _misses++ : _hits++;
        }

        PoolTelemetry.Taken(member is not null);
        _news.Writer.TryWrite(true);
        return member;
    }

    /// <summary>A member that was taken did not do what a fresh machine does.</summary>
    public void NoteFailure()
    {
        lock (_lock)
        {
            _failures++;
        }
    }

    /// <summary>Ends the loop and every member.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            await _ending.CancelAsync();
            await _loop;
            PoolMember[] left;
            lock (_lock)
            {
                _started = false;
                left = [.. _shelves.Values.SelectMany(static shelf => shelf.Members)];
                _shelves.Clear();
            }

            await Task.WhenAll(left.Select(member => ClearAsync(member.Id)));
            _telemetry?.Dispose();
            _ending.Dispose();
        }
    }

    private async Task RunAsync()
    {
        try
        {
            while (true)
            {
                _ending.Token.ThrowIfCancellationRequested();
                await RemoveEndedAsync();
                PoolStep step;
                TimeSpan courtesy;
                lock (_lock)
                {
                    step = PoolPlan.Next(Look(), MemberBytes, _options.MemoryMiB * MiB);
                    courtesy = _courtesyEnds - _time.GetUtcNow();
                }

                if (step is PoolStep.Add && courtesy > TimeSpan.Zero)
                {
                    await Task.Delay(courtesy, _time, _ending.Token);
                    continue;
                }

                if (step is PoolStep.Drop drop)
                {
                    await DropAsync(drop.Shape);
                }
                else if (step is not PoolStep.Add add || !await TryAddAsync(add.Shape))
                {
                    await RestAsync(failed: step is PoolStep.Add);
                }
            }
        }
        catch (OperationCanceledException) when (_ending.IsCancellationRequested)
        {
            // The daemon ends.
        }
        catch (Exception problem)
        {
            PoolStopped(problem);
        }
    }

    /// <summary>Until a pod comes, a member ends, or a shape is no longer wanted.</summary>
    private async Task RestAsync(bool failed)
    {
        TimeSpan rest = _options.Rest;
        if (!failed)
        {
            lock (_lock)
            {
                DateTimeOffset? falls = _shelves.Values.Select(static shelf => shelf.Demand.FallsAt).Min();
                rest = falls is { } at ? at - _time.GetUtcNow() + TimeSpan.FromMilliseconds(1) : Timeout.InfiniteTimeSpan;
            }
        }

        using var news = CancellationTokenSource.CreateLinkedTokenSource(_ending.Token);
        if (failed)
        {
            await Task.Delay(rest, _time, _ending.Token);
            return;
        }

        Task<bool> told = _news.Reader.ReadAsync(news.Token).AsTask();
        Task late = rest == Timeout.InfiniteTimeSpan || rest > TimeSpan.Zero ? Task.Delay(rest, _time, news.Token) : Task.CompletedTask;
        await Task.WhenAny(told, late);
        await news.CancelAsync();
        await Task.WhenAll(told, late).ContinueWith(static both => both.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private async Task<bool> TryAddAsync(TemplateShape shape)
    {
        if (!await _engine.WantTemplateAsync(shape, _ending.Token))
        {
            // A guest that boots for nobody would cost more than a miss.
            NoTemplate(PoolReport.Describe(shape));
            return false;
        }

        long begin = _time.GetTimestamp();
        string id = PodId.New();
        try
        {
            PoolMember member = await MakeAsync(id, shape);
            TimeSpan took = _time.GetElapsedTime(begin);
            lock (_lock)
            {
                _shelves[shape].Members.Add(member);
                _refilled++;
                _refills.Enqueue((took, member.Bytes));
                if (_refills.Count > Remembered)
                {
                    _refills.Dequeue();
                }
            }

            _ = TellEndAsync(member.Machine);
            PoolTelemetry.Refilled(took, succeeded: true);
            MemberReady(id, PoolReport.Describe(shape), (long)took.TotalMilliseconds, member.Bytes / MiB);
            return true;
        }
        catch (Exception problem) when (!_ending.IsCancellationRequested)
        {
            await ClearAsync(id);
            NoteFailure();
            PoolTelemetry.Refilled(_time.GetElapsedTime(begin), succeeded: false);
            NotReady(problem, PoolReport.Describe(shape), _options.Rest.TotalSeconds);
            return false;
        }
        catch (Exception)
        {
            await ClearAsync(id);
            throw new OperationCanceledException(_ending.Token);
        }
    }

    private async Task<PoolMember> MakeAsync(string id, TemplateShape shape)
    {
        using var patience = new CancellationTokenSource(_options.Patience, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, _ending.Token);
        NetworkAttachment plug = await _network.PrepareAsync(id, either.Token);
        Machine machine = await _engine.CreateAsync(
            new MachineSpec
            {
                Id = MachineId.Parse(id),
                VcpuCount = shape.VcpuCount,
                MemoryMiB = shape.MemoryMiB,
                ScratchMiB = shape.ScratchMiB,
                Network = plug,
                SharedDirectory = _share.Prepare(id),
                Spare = true,
            },
            either.Token);
        await _rehearsal.RunAsync(id, machine, either.Token);
        return new PoolMember(id, shape, machine, _engine.MeasureHost(machine)?.OwnBytes ?? 0);
    }

    private async Task DropAsync(TemplateShape shape)
    {
        PoolMember? member;
        lock (_lock)
        {
            Shelf shelf = _shelves[shape];
            member = shelf.Members.LastOrDefault();
            if (member is not null)
            {
                shelf.Members.Remove(member);
                _dropped++;
            }
        }

        if (member is not null)
        {
            PoolTelemetry.Dropped();
            MemberDropped(member.Id, PoolReport.Describe(shape));
            await ClearAsync(member.Id);
        }
    }

    /// <summary>Members whose machine has ended, by whatever hand; shapes that nobody wants any more are forgotten.</summary>
    private async Task RemoveEndedAsync()
    {
        PoolMember[] ended;
        lock (_lock)
        {
            ended = [.. _shelves.Values.SelectMany(static shelf => shelf.Members).Where(static member => member.Machine.Current.State != MachineState.Running)];
            foreach (Shelf shelf in _shelves.Values)
            {
                shelf.Members.RemoveAll(ended.Contains);
            }

            _dropped += ended.Length;
            DateTimeOffset now = _time.GetUtcNow();
            foreach ((TemplateShape shape, Shelf shelf) in _shelves.ToArray())
            {
                if (shelf.Members.Count == 0 && shelf.Demand.Wanted(now, RefillTime) == 0)
                {
                    _shelves.Remove(shape);
                }
            }
        }

        foreach (PoolMember member in ended)
        {
            PoolTelemetry.Dropped();
            MemberEnded(member.Id, member.Machine.Current.Reason ?? "");
            await ClearAsync(member.Id);
        }
    }

    private async Task TellEndAsync(Machine machine)
    {
        try
        {
            MachineSnapshot snapshot = machine.Current;
            while (snapshot.State is not (MachineState.Stopped or MachineState.Removed))
            {
                snapshot = await machine.WaitForChangeAsync(snapshot.Generation, _ending.Token);
            }

            _news.Writer.TryWrite(true);
        }
        catch (Exception gone) when (gone is MachineException or OperationCanceledException)
        {
            // The daemon ends, and with it the pool.
        }
    }

    /// <summary>Removes all that a member has on the host, whole or half made.</summary>
    private async Task ClearAsync(string id)
    {
        try
        {
            await _engine.RemoveAsync(MachineId.Parse(id), CancellationToken.None);
            await _network.TearDownAsync(id, CancellationToken.None);
            await _share.ReleasePodAsync(id, CancellationToken.None);
            _store.DeletePod(id);
        }
        catch (Exception problem) when (problem is MachineException or NetworkException or PodException or IOException or UnauthorizedAccessException)
        {
            NotCleared(problem, id);
        }
    }

    /// <summary>Call with the lock held.</summary>
    private IReadOnlyList<PoolShelf> Look()
    {
        DateTimeOffset now = _time.GetUtcNow();
        return
        [
            .. _shelves.Select(entry => new PoolShelf(
                entry.Key, entry.Value.Members.Count, entry.Value.Demand.Wanted(now, RefillTime), entry.Value.Members.Sum(static member => member.Bytes))),
        ];
    }

    /// <summary>The machines of one shape.</summary>
    private sealed class Shelf(TimeSpan keep, int least)
    {
        internal PoolDemand Demand { get; } = new(keep, least);

        internal List<PoolMember> Members { get; } = [];
    }

    [LoggerMessage(3180, LogLevel.Debug, "Pool: machine {MachineId} is ready ({Shape}) after {Milliseconds} ms and takes {MiB} MiB")]
    private partial void MemberReady(string machineId, string shape, long milliseconds, long miB);

    [LoggerMessage(3181, LogLevel.Warning, "Pool: no machine of {Shape} could be made ready; pods start without it, and it is tried again in {Seconds} s")]
    private partial void NotReady(Exception problem, string shape, double seconds);

    [LoggerMessage(3182, LogLevel.Debug, "Pool: there is no template for {Shape} yet")]
    private partial void NoTemplate(string shape);

    [LoggerMessage(3183, LogLevel.Debug, "Pool: machine {MachineId} ({Shape}) is ended, since nobody needs it")]
    private partial void MemberDropped(string machineId, string shape);

    [LoggerMessage(3184, LogLevel.Warning, "Pool: machine {MachineId} ended while it waited for a pod: {Reason}")]
    private partial void MemberEnded(string machineId, string reason);

    [LoggerMessage(3185, LogLevel.Error, "Pool: machine {MachineId} could not be removed whole; the next start of the daemon tries again")]
    private partial void NotCleared(Exception problem, string machineId);

    [LoggerMessage(3186, LogLevel.Error, "Pool: it has stopped; pods start without it until the daemon is started anew")]
    private partial void PoolStopped(Exception problem);
}
