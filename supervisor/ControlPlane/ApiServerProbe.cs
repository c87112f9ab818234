using System.Text.Json;
using Vks.Supervisor.Pki;

namespace Vks.Supervisor.ControlPlane;

/// <summary>Asks this member's own kube-apiserver whether it is ready, over loopback, twice a second; less often while it starts.</summary>
internal sealed partial class ApiServerProbe : IDisposable
{
    /// <summary>While etcd chooses a leader (one to two seconds) no API server is ready, and moving the address would not help.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(4);

    /// <summary>
    /// One that says nothing may only be slow, as are then mostly all of them: the address would go round, and each turn costs all clients a handshake, by which
    /// everything gets slower. This short, so that one that hangs has given the address up before ten seconds are over.
    /// </summary>
    private static readonly TimeSpan s_silence = TimeSpan.FromSeconds(7);

    private static readonly TimeSpan s_every = TimeSpan.FromMilliseconds(500);

    /// <summary>From one question to the next until it was ready for the first time: each takes from a slow host what the start needs.</summary>
    private static readonly TimeSpan s_everyInStart = TimeSpan.FromSeconds(3);

    /// <summary>A start that takes longer than this is a slow one.</summary>
    private static readonly TimeSpan s_quickStart = TimeSpan.FromSeconds(15);

    /// <summary>A late answer is a sign of life as well; and a question that is given up costs one more handshake, by which a slow server gets slower.</summary>
    private static readonly TimeSpan s_lateAnswer = TimeSpan.FromSeconds(20);

    /// <summary>An API server that does not even say that it lives, for this long, hangs.</summary>
    private static readonly TimeSpan s_hangs = TimeSpan.FromSeconds(60);

    /// <summary>So long it may take from its start to its first sign of life: under software emulation minutes.</summary>
    private static readonly TimeSpan s_begins = TimeSpan.FromMinutes(10);

    private readonly SupervisedProgram _program;
    private readonly TimeProvider _time;
    private readonly long _begin;
    private readonly HttpClient _client;
    private readonly HealthJudge _ready = new(s_patience, s_silence);
    private readonly HealthJudge _alive = new(s_patience);
    private int _livedInStart = -1;
    private readonly TaskCompletionSource _firstReady = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _versionOf = -1;

    /// <summary>Prepares it.</summary>
    /// <param name="settings">The member.</param>
    /// <param name="program">Its kube-apiserver.</param>
    /// <param name="time">The clock.</param>
    public ApiServerProbe(MemberSettings settings, SupervisedProgram program, TimeProvider time)
    {
        _program = program;
        _time = time;
        _begin = time.GetTimestamp();
        _client = new HttpClient(MutualTls.Client(
            Path.Combine(settings.PkiDirectory, AuthorityFiles.Kubernetes + ".crt"), Path.Combine(settings.PkiDirectory, MemberCertificates.Monitor)))
        {
            BaseAddress = new Uri($"https://127.0.0.1:{MemberSettings.ApiPort}"),
            Timeout = s_lateAnswer,
        };
    }

    /// <summary>Whether it serves the API now.</summary>
    public bool IsReady => _program.IsRunning && _ready.IsHealthy(Now);

    /// <summary>Why it does not, or empty.</summary>
    public string Why => !_program.IsRunning ? "kube-apiserver does not run"
        : _ready.Why.Length > 0 || _ready.IsHealthy(Now) ? _ready.Why
        : $"/readyz: no answer for more than {s_silence.TotalSeconds:0} s";

    /// <summary>Its version, <c>v1.20.2</c>; empty until it has told.</summary>
    public string Version { get; private set; } = "";

    /// <summary>Completes when it was ready for the first time.</summary>
    public Task FirstReady => _firstReady.Task;

    private TimeSpan Now => _time.GetElapsedTime(_begin);

    /// <summary>Probes until it is told to stop.</summary>
    /// <param name="stop">Tells it to stop.</param>
    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await ProbeAsync(stop);
                await Task.Delay(_firstReady.Task.IsCompleted || Now < s_quickStart ? s_every : s_everyInStart, _time, stop);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    private async Task ProbeAsync(CancellationToken stop)
    {
        if (!_program.IsRunning)
        {
            _ready.Bad(Now, "kube-apiserver does not run", certain: true);
            _alive.Good(Now);
            return;
        }

        bool isThere = await AskAsync("/readyz", _ready, stop);
        if (_ready.Why.Length == 0)
        {
            _firstReady.TrySetResult();
            _livedInStart = _program.State.Starts;
            _alive.Good(Now);
            await AskVersionAsync(stop);
            return;
        }

        if (_ready.IsHealthy(Now))
        {
            // Whether it is ready is asked again first: another question takes a slow one time.
            return;
        }

        // Without etcd it cannot be ready, and starting it anew would not give it one.
        if (!isThere)
        {
            _alive.Bad(Now, _ready.Why);
        }
        else
        {
            await AskAsync("/livez?exclude=etcd", _alive, stop);
        }

        if (_alive.Why.Length == 0)
        {
            _livedInStart = _program.State.Starts;
        }

        TimeSpan limit = _livedInStart == _program.State.Starts ? s_hangs : s_begins;
        if (_alive.BadFor(Now) > limit && _time.GetUtcNow() - _program.State.Since > limit)
        {
            await _program.RestartAsync($"no sign of life for {limit.TotalSeconds:0} s: {_alive.Why}");
            _alive.Good(Now);
        }
    }

    /// <summary>Once after each start: its program may have become another one.</summary>
    private async Task AskVersionAsync(CancellationToken stop)
    {
        int start = _program.State.Starts;
        if (_versionOf == start)
        {
            return;
        }

        try
        {
            using JsonDocument said = JsonDocument.Parse(await _client.GetStringAsync(new Uri("/version", UriKind.Relative), stop));
            Version = said.RootElement.GetProperty("gitVersion").GetString() ?? "";
            _versionOf = start;
        }
        catch (Exception problem) when (problem is HttpRequestException or JsonException || (problem is OperationCanceledException && !stop.IsCancellationRequested))
        {
            // The next probe asks again.
        }
    }

    /// <returns>False when nobody takes a connection there.</returns>
    private async Task<bool> AskAsync(string path, HealthJudge judge, CancellationToken stop)
    {
        TimeSpan asked = Now;
        try
        {
            using HttpResponseMessage answer = await _client.GetAsync(new Uri(path, UriKind.Relative), stop);
            if (answer.IsSuccessStatusCode)
            {
                judge.Good(asked);
            }
            else
            {
                string text = await answer.Content.ReadAsStringAsync(stop);
                judge.Bad(Now, $"{path} gave {(int)answer.StatusCode}: {string.Join(", ", text.Split('\n').Where(static line => line.StartsWith("[-]", StringComparison.Ordinal)))}");
            }
        }
        catch (HttpRequestException problem)
        {
            judge.Bad(Now, $"{path}: {problem.Message}");
            return problem.HttpRequestError != HttpRequestError.ConnectionError;
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            judge.Bad(Now, $"{path}: no answer within {s_lateAnswer.TotalSeconds:0} s", silent: true);
        }

        return true;
    }
}
