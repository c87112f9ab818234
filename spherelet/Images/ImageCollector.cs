namespace Vks.Spherelet.Images;

/// <summary>Looks at the store from time to time, and removes images by <see cref="CollectionRules"/>.</summary>
internal sealed partial class ImageCollector(IImageStore store, IImageUsers users, CollectionRules rules, TimeProvider time, ILogger<ImageCollector> logger)
    : BackgroundService
{
    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using PeriodicTimer timer = new(rules.Period, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                await LookAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException)
        {
            // The daemon ends.
        }
    }

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        try
        {
            await store.CollectAsync(rules, users.Snapshot(), cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ImageException)
        {
            // The next look may go better; without any, the disk fills up.
            LogFailed(e);
        }
    }

    [LoggerMessage(3230, LogLevel.Warning, "Could not look for images to remove; tried again later")]
    private partial void LogFailed(Exception cause);
}
