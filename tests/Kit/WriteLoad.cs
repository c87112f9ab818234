using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace Vks.Tests.Kit;

/// <summary>Writes numbered ConfigMaps through one address, one after the other, and knows which were acknowledged and when.</summary>
internal sealed class WriteLoad : IAsyncDisposable
{
    private static readonly TimeSpan s_pace = TimeSpan.FromMilliseconds(50);

    private readonly HttpClient _client;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<(int Number, long At)> _acknowledged = [];
    private readonly string _label = string.Create(CultureInfo.InvariantCulture, $"w{Random.Shared.Next():x8}");
    private readonly Task _running;
    private readonly ConcurrentQueue<(DateTimeOffset At, string What)> _problems = [];
    private string _lastProblem = "";

    private WriteLoad(HttpClient client)
    {
        _client = client;
        _running = RunAsync();
    }

    /// <summary>How many writes were acknowledged.</summary>
    public int Count => _acknowledged.Count;

    /// <summary>What came back when a write failed last.</summary>
    public string LastProblem => Volatile.Read(ref _lastProblem);

    /// <summary>Each write that failed in the last minutes: when, and what came back.</summary>
    public string Problems() => string.Join('\n', _problems.Select(static problem => $"{problem.At:HH:mm:ss.fff} {problem.What}"));

    /// <summary>Begins to write.</summary>
    /// <param name="client">Where to; its timeout is how long one write is waited for.</param>
    public static WriteLoad Start(HttpClient client) => new(client);

    /// <summary>Waits until a write that began after now is acknowledged.</summary>
    /// <param name="limit">How long.</param>
    /// <param name="what">What is waited for, and the logs.</param>
    public async Task NextAsync(TimeSpan limit, Func<string> what)
    {
        int before = Count;
        long begin = Stopwatch.GetTimestamp();
        while (Count < before + 2)
        {
            Assert.True(Stopwatch.GetElapsedTime(begin) < limit, $"no write was acknowledged for {limit.TotalSeconds:0} s ({LastProblem}): {what()}");
            await Task.Delay(TimeSpan.FromMilliseconds(20), TestContext.Current.CancellationToken);
        }
    }

    /// <summary>The longest time without an acknowledged write since a moment.</summary>
    /// <param name="since">The moment, of <see cref="Stopwatch.GetTimestamp"/>.</param>
    public TimeSpan LongestGap(long since)
    {
        TimeSpan longest = TimeSpan.Zero;
        long last = since;
        foreach (long at in _acknowledged.Select(static write => write.At).Where(at => at >= since).Append(Stopwatch.GetTimestamp()))
        {
            TimeSpan gap = Stopwatch.GetElapsedTime(last, at);
            longest = gap > longest ? gap : longest;
            last = at;
        }

        return longest;
    }

    /// <summary>Ends the writing and names each acknowledged write that is not there.</summary>
    /// <param name="reader">Any member.</param>
    public async Task<IReadOnlyList<int>> LostAsync(HttpClient reader)
    {
        await StopAsync();
        HashSet<int> there = [];
        string more = "";
        do
        {
            using JsonDocument page = JsonDocument.Parse(await reader.GetStringAsync(
                new Uri($"/api/v1/namespaces/default/configmaps?labelSelector=writer%3D{_label}&limit=500&continue={Uri.EscapeDataString(more)}", UriKind.Relative)));
            foreach (JsonElement item in page.RootElement.GetProperty("items").EnumerateArray())
            {
                there.Add(int.Parse(item.GetProperty("data").GetProperty("number").GetString()!, CultureInfo.InvariantCulture));
            }

            more = page.RootElement.GetProperty("metadata").TryGetProperty("continue", out JsonElement next) ? next.GetString()! : "";
        }
        while (more.Length > 0);
        return [.. _acknowledged.Select(static write => write.Number).Where(number => !there.Contains(number))];
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _client.Dispose();
        _stop.Dispose();
    }

    private async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _running;
    }

    private async Task RunAsync()
    {
        for (var number = 0; !_stop.IsCancellationRequested; number++)
        {
            try
            {
                using HttpResponseMessage answer = await _client.PostAsJsonAsync(
                    new Uri("/api/v1/namespaces/default/configmaps", UriKind.Relative),
                    new
                    {
                        apiVersion = "v1", kind = "ConfigMap",
                        metadata = new { name = $"{_label}-{number}", labels = new { writer = _label } },
                        data = new { number = number.ToString(CultureInfo.InvariantCulture) },
                    },
                    _stop.Token);
                if (answer.StatusCode == HttpStatusCode.Created)
                {
                    _acknowledged.Enqueue((number, Stopwatch.GetTimestamp()));
                }
                else
                {
                    Failed($"{answer.StatusCode}: {await answer.Content.ReadAsStringAsync(_stop.Token)}");
                }

                await Task.Delay(s_pace, _stop.Token);
            }
            catch (Exception problem) when (problem is HttpRequestException or OperationCanceledException or IOException)
            {
                Failed($"{problem.Message} {problem.InnerException?.Message}");
                await Task.WhenAny(Task.Delay(s_pace, _stop.Token));
            }
        }
    }

    private void Failed(string what)
    {
        Volatile.Write(ref _lastProblem, what);
        _problems.Enqueue((TimeProvider.System.GetUtcNow(), what));
        while (_problems.Count > 500)
        {
            _problems.TryDequeue(out _);
        }
    }
}
