using Microsoft.Extensions.Time.Testing;
using Vks.Supervisor.Kubernetes;

namespace Vks.Tests.Supervisor.Kubernetes;

/// <summary>Keys that wait to be looked at.</summary>
public sealed class WorkQueueTests : IDisposable
{
    private static readonly ObjectKey s_key = new("", "a");

    private readonly FakeTimeProvider _time = new();
    private readonly WorkQueue _queue;

    public WorkQueueTests() => _queue = new WorkQueue(_time);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_key_that_waits_is_given_once()
    {
        _queue.Add(s_key);
        _queue.Add(s_key);

        Assert.Equal(s_key, await _queue.TakeAsync(Token));
        _queue.Done(s_key);
        Assert.False(_queue.TakeAsync(Token).AsTask().IsCompleted);
    }

    [Fact]
    public async Task A_key_that_somebody_has_is_given_again_afterwards()
    {
        _queue.Add(s_key);
        await _queue.TakeAsync(Token);

        _queue.Add(s_key);
        ValueTask<ObjectKey> second = _queue.TakeAsync(Token);
        Assert.False(second.IsCompleted);
        _queue.Done(s_key);

        Assert.Equal(s_key, await second);
    }

    [Fact]
    public void Failures_wait_longer_each_time_until_a_success()
    {
        Assert.Equal(TimeSpan.FromMilliseconds(100), _queue.Retry(s_key));
        Assert.Equal(TimeSpan.FromMilliseconds(200), _queue.Retry(s_key));
        for (int more = 0; more < 20; more++)
        {
            _queue.Retry(s_key);
        }

        Assert.Equal(TimeSpan.FromSeconds(30), _queue.Retry(s_key));
        _queue.Forget(s_key);
        Assert.Equal(TimeSpan.FromMilliseconds(100), _queue.Retry(s_key));
    }

    [Fact]
    public async Task Of_two_wishes_for_later_the_earlier_counts()
    {
        _queue.AddAfter(s_key, TimeSpan.FromSeconds(10));
        _queue.AddAfter(s_key, TimeSpan.FromSeconds(1));
        _queue.AddAfter(s_key, TimeSpan.FromSeconds(5));
        ValueTask<ObjectKey> taken = _queue.TakeAsync(Token);

        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(s_key, await taken);
        _queue.Done(s_key);
        _time.Advance(TimeSpan.FromSeconds(20));
        Assert.False(_queue.TakeAsync(Token).AsTask().IsCompleted);
    }

    public void Dispose() => _queue.Dispose();
}
