namespace Vks.Spherelet.Pods;

/// <summary>Two steps of one piece of work that do not need each other.</summary>
internal static class SideBySide
{
    /// <summary>Runs both. When one fails, the other is cancelled; the call ends when both have ended, with the failure that came first.</summary>
    /// <param name="first">One.</param>
    /// <param name="second">The other.</param>
    /// <param name="cancellationToken">Ends both.</param>
    public static async Task<(TFirst First, TSecond Second)> RunAsync<TFirst, TSecond>(
        Func<CancellationToken, Task<TFirst>> first, Func<CancellationToken, Task<TSecond>> second, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task<TFirst> one = first(either.Token);
        Task<TSecond> other = second(either.Token);
        Task ended = await Task.WhenAny(one, other);
        if (!ended.IsCompletedSuccessfully)
        {
            await either.CancelAsync();
            await Task.WhenAll(one, other).ContinueWith(
                static both => both.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            await ended;
        }

        return (await one, await other);
    }
}
