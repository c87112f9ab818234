using System.Globalization;
using CliWrap;
using Polly;
using Polly.Retry;

namespace Vks.Supervisor.ControlPlane;

/// <summary>One program of a member, which is to run always: started again when it ends, sooner or later depending on how long it ran.</summary>
/// <remarks>
/// It ends with the member's process, however that ends (PR_SET_PDEATHSIG); and before a start, what an earlier run left is ended. So there
/// is never a second one on the same data.
/// </remarks>
internal sealed partial class SupervisedProgram
{
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_longRun = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_leastDelay = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_mostDelay = TimeSpan.FromSeconds(15);

    private readonly ProgramPlan _plan;
    private readonly LaunchThread _launcher;
    private readonly TimeProvider _time;
    private readonly ILogger<SupervisedProgram> _logger;
    private readonly ProcessRecord _record;
    private readonly ResiliencePipeline<TimeSpan> _restarts;
    private CancellationTokenSource? _once;
    private ProgramState _state;
    private int _shortRuns;

    /// <summary>Prepares it; nothing is started.</summary>
    /// <param name="plan">What to run.</param>
    /// <param name="settings">The member, for its folders.</param>
    /// <param name="launcher">Starts it.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">The log.</param>
    public SupervisedProgram(ProgramPlan plan, MemberSettings settings, LaunchThread launcher, TimeProvider time, ILogger<SupervisedProgram> logger)
    {
        _plan = plan;
        _launcher = launcher;
        _time = time;
        _logger = logger;
        _record = new ProcessRecord(Path.Combine(settings.RunDirectory, plan.Name + ".pid"));
        Log = new LogFile(Path.Combine(settings.LogDirectory, plan.Name + ".log"));
        _state = new ProgramState(plan.Name, 0, time.GetUtcNow(), 0, "");
        _restarts = new ResiliencePipelineBuilder<TimeSpan> { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions<TimeSpan>
            {
                ShouldHandle = static args => ValueTask.FromResult(args.Outcome.Exception is null),
                MaxRetryAttempts = int.MaxValue,
                DelayGenerator = args => ValueTask.FromResult<TimeSpan?>(DelayAfter(args.Outcome.Result)),
            })
            .Build();
    }

    /// <summary>Its log.</summary>
    public LogFile Log { get; }

    /// <summary>How it is; safe to read from any thread.</summary>
    public ProgramState State => Volatile.Read(ref _state);

    /// <summary>Whether it runs.</summary>
    public bool IsRunning => State.ProcessId != 0;

    /// <summary>Runs the program, again and again, until it is told to stop; then it has ended.</summary>
    /// <param name="stop">Then SIGTERM, and SIGKILL after 20 s.</param>
    public async Task RunAsync(CancellationToken stop)
    {
        try
        {
            await _restarts.ExecuteAsync(async token => await RunOnceAsync(token), stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // As wished.
        }
    }

    /// <summary>Ends the program so that it is started anew.</summary>
    /// <param name="why">For the log.</param>
    public async Task RestartAsync(string why)
    {
        if (Volatile.Read(ref _once) is { } once)
        {
            RestartWished(_plan.Name, why);
            try
            {
                await once.CancelAsync();
            }
            catch (ObjectDisposedException)
            {
                // It has ended in this moment.
            }
        }
    }

    private async Task<TimeSpan> RunOnceAsync(CancellationToken stop)
    {
        stop.ThrowIfCancellationRequested();
        if (await _record.EndAsync(_time, stop) is { } leftOver)
        {
            LeftOverEnded(_plan.Name, leftOver);
        }

        using CancellationTokenSource forceful = new();
        using CancellationTokenSource graceful = CancellationTokenSource.CreateLinkedTokenSource(stop);
        Command command = Cli.Wrap("sh")
            .WithArguments(["-c", "n=$1; shift; exec nice -n \"$n\" setpriv --pdeathsig KILL -- \"$@\" >>\"$0\" 2>&1", Log.Path, _plan.Niceness.ToString(CultureInfo.InvariantCulture), _plan.Path, .. _plan.Arguments])
            .WithValidation(CommandResultValidation.None);
        long begin = _time.GetTimestamp();
        CommandTask<CommandResult> running = await _launcher.RunAsync(() => command.ExecuteAsync(forceful.Token));
        _record.Write(running.ProcessId);
        Volatile.Write(ref _state, new ProgramState(_plan.Name, running.ProcessId, _time.GetUtcNow(), State.Starts + 1, State.LastEnd));
        Started(_plan.Name, running.ProcessId, Log.Path);
        Volatile.Write(ref _once, graceful);
        string end = await EndAsync(running, forceful, graceful.Token);
        Volatile.Write(ref _once, null);
        TimeSpan lived = _time.GetElapsedTime(begin);
        Volatile.Write(ref _state, State with { ProcessId = 0, Since = _time.GetUtcNow(), LastEnd = end });
        if (stop.IsCancellationRequested)
        {
            Stopped(_plan.Name, end);
        }
        else
        {
            Ended(_plan.Name, end, lived.TotalSeconds, Log.Tail(3));
        }

        return lived;
    }

    /// <summary>Waits for the end: its own, or, when that is wished, by SIGTERM, and by SIGKILL when that is too slow.</summary>
    private async Task<string> EndAsync(CommandTask<CommandResult> running, CancellationTokenSource forceful, CancellationToken graceful)
    {
        Task<CommandResult> ended = running.Task;
        if (await Task.WhenAny(ended, Task.Delay(Timeout.InfiniteTimeSpan, _time, graceful)) != ended)
        {
            // Not by a token of CliWrap, which sends SIGINT: who is started in the background of a shell never hears it.
            await Cli.Wrap("kill").WithArguments(["-TERM", running.ProcessId.ToString(CultureInfo.InvariantCulture)]).WithValidation(CommandResultValidation.None).ExecuteAsync(CancellationToken.None);
            if (await Task.WhenAny(ended, Task.Delay(s_grace, _time, CancellationToken.None)) != ended)
            {
                await forceful.CancelAsync();
            }
        }

        try
        {
            CommandResult result = await ended;
            return result.ExitCode is > 128 and <= 128 + 64 ? $"ended by signal {result.ExitCode - 128}" : $"ended with {result.ExitCode}";
        }
        catch (OperationCanceledException)
        {
            return $"did not end within {s_grace.TotalSeconds:0} s of SIGTERM, killed";
        }
    }

    /// <summary>200 ms after a long run, and twice as long after each short one, up to 15 s.</summary>
    private TimeSpan DelayAfter(TimeSpan lived)
    {
        _shortRuns = lived > s_longRun ? 0 : Math.Min(_shortRuns + 1, 10);
        return TimeSpan.FromTicks(Math.Min(s_mostDelay.Ticks, s_leastDelay.Ticks << Math.Max(0, _shortRuns - 1)));
    }

    [LoggerMessage(4000, LogLevel.Information, "{Program}: runs as process {ProcessId}, log {Log}")]
    private partial void Started(string program, int processId, string log);

    [LoggerMessage(4001, LogLevel.Warning, "{Program}: {End} after {Seconds:0.0} s; it is started again. Its last words:\n{Tail}")]
    private partial void Ended(string program, string end, double seconds, string tail);

    [LoggerMessage(4002, LogLevel.Information, "{Program}: {End}")]
    private partial void Stopped(string program, string end);

    [LoggerMessage(4003, LogLevel.Warning, "{Program}: process {ProcessId} of an earlier run was still there and was ended")]
    private partial void LeftOverEnded(string program, int processId);

    [LoggerMessage(4004, LogLevel.Warning, "{Program}: is started anew: {Why}")]
    private partial void RestartWished(string program, string why);
}
