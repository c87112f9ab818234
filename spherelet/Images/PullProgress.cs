using System.Globalization;

namespace Vks.Spherelet.Images;

/// <summary>How far a pull is.</summary>
/// <param name="Bytes">Bytes that are here.</param>
/// <param name="Layers">Layers that came whole.</param>
internal readonly record struct PullState(long Bytes, int Layers);

/// <summary>Looks after a copy of layers by another program: tells how far it is, and ends it when nothing comes any more.</summary>
/// <param name="image">The image.</param>
/// <param name="layers">Its layers, as the manifest has them.</param>
/// <param name="directory">Where whole blobs appear.</param>
/// <param name="workingDirectory">Where blobs grow that are not whole yet.</param>
/// <param name="options">Has period and timeout.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Gets the lines.</param>
internal sealed partial class PullProgress(
    ImageReference image, IReadOnlyList<DescriptorDocument> layers, ImageDirectory directory, string workingDirectory, ImageStoreOptions options, TimeProvider time, ILogger logger)
{
    private readonly DescriptorDocument[] _layers = [.. layers.DistinctBy(static layer => layer.Digest)];

    /// <summary>Runs the copy.</summary>
    /// <exception cref="ImageException"><see cref="ImageFault.RegistryUnavailable"/>: nothing came for <see cref="ImageStoreOptions.ProgressTimeout"/>.</exception>
    public async Task<T> WatchAsync<T>(Func<CancellationToken, Task<T>> copy, CancellationToken cancellationToken)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task<T> copying = copy(stop.Token);
        bool stuck = await FollowAsync(copying, cancellationToken);
        if (stuck)
        {
            await stop.CancelAsync();
        }

        try
        {
            return await copying;
        }
        catch (OperationCanceledException e) when (stuck && !cancellationToken.IsCancellationRequested)
        {
            throw new ImageException(
                ImageFault.RegistryUnavailable,
                image.ToString(),
                string.Create(CultureInfo.InvariantCulture, $"Could not pull {image}: nothing came from {image.Registry} for {options.ProgressTimeout.TotalSeconds:0} s, {Describe(Measure())}. Pull again; layers that came whole are kept."),
                e);
        }
    }

    /// <summary>Looks until the copy ends.</summary>
    /// <returns>It does not get on.</returns>
    private async Task<bool> FollowAsync(Task copying, CancellationToken cancellationToken)
    {
        // No event says that another program's file grew by something worth telling.
        using PeriodicTimer timer = new(options.ProgressPeriod, time);
        PullState last = Measure();
        long changed = time.GetTimestamp();
        while (true)
        {
            Task<bool> tick = timer.WaitForNextTickAsync(cancellationToken).AsTask();
            if (await Task.WhenAny(copying, tick) == copying || tick.IsCanceled)
            {
                return false;
            }

            PullState now = Measure();
            if (now != last)
            {
                (last, changed) = (now, time.GetTimestamp());
                LogProgress(logger, image, Describe(now));
            }
            else if (options.ProgressTimeout > TimeSpan.Zero && time.GetElapsedTime(changed) >= options.ProgressTimeout)
            {
                return true;
            }
        }
    }

    private PullState Measure()
    {
        long bytes = 0;
        int whole = 0;
        foreach (DescriptorDocument layer in _layers)
        {
            if (new FileInfo(directory.Blob(layer.Digest!)) is { Exists: true } blob)
            {
                bytes += blob.Length;
                whole++;
            }
        }

        foreach (FileInfo growing in new DirectoryInfo(workingDirectory).EnumerateFiles("oci-put-blob*"))
        {
            // It may become whole, under another name, in this moment.
            growing.Refresh();
            bytes += growing.Exists ? growing.Length : 0;
        }

        return new PullState(bytes, whole);
    }

    private string Describe(PullState state) => string.Create(
        CultureInfo.InvariantCulture,
        $"{state.Bytes / 1048576.0:0.0} of {_layers.Sum(static layer => layer.Size) / 1048576.0:0.0} MiB, {state.Layers} of {_layers.Length} layers");

    [LoggerMessage(3202, LogLevel.Information, "Pulling {Image}: {Progress}")]
    private static partial void LogProgress(ILogger logger, ImageReference image, string progress);
}
