namespace Vks.Supervisor.Kubernetes;

/// <summary>Gives keys to a controller, and keys that failed again later.</summary>
/// <param name="controller">Looks at one object and does what is needed now.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Log.</param>
internal sealed partial class ControllerLoop(IController controller, TimeProvider time, ILogger logger) : IDisposable
{
    private const int Workers = 4;

    /// <summary>Keys to look at.</summary>
    public WorkQueue Queue { get; } = new(time);

    /// <summary>Works until cancelled.</summary>
    public Task RunAsync(CancellationToken cancellationToken) => Task.WhenAll(Enumerable.Range(0, Workers).Select(_ => WorkAsync(cancellationToken)));

    /// <inheritdoc/>
    public void Dispose() => Queue.Dispose();

    private async Task WorkAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            ObjectKey key = await Queue.TakeAsync(cancellationToken);
            try
            {
                TimeSpan? again = await controller.ReconcileAsync(key, cancellationToken);
                Queue.Forget(key);
                if (again is { } delay)
                {
                    Queue.AddAfter(key, delay);
                }
            }
            catch (ApiException conflict) when (conflict.Fault == ApiFault.Conflict)
            {
                // Somebody was faster. No news for anybody: look again with what is there now.
                Queue.Retry(key);
            }
            catch (Exception problem) when (problem is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
            {
                Failed(problem, controller.Name, key, Queue.Retry(key).TotalSeconds);
            }
            finally
            {
                Queue.Done(key);
            }
        }
    }

    [LoggerMessage(4202, LogLevel.Warning, "{Controller} {Key} failed and is looked at again in {Seconds:0.0} s")]
    private partial void Failed(Exception problem, string controller, ObjectKey key, double seconds);
}
