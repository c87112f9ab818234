using System.Diagnostics;

namespace Vks.Spherelet.Images;

/// <content>One pull, from its slot to its record.</content>
internal sealed partial class ImageStore
{
    // With the credentials in the key, nobody gets an image by another's password.
    private Task<string> PullSharedAsync(ImageReference image, RegistryCredentials? credentials, CancellationToken cancellationToken) =>
        _pulls.RunAsync((image.ToString(), credentials), token => PullOnceAsync(image, credentials, token), cancellationToken);

    private async Task<string> PullOnceAsync(ImageReference image, RegistryCredentials? credentials, CancellationToken cancellationToken)
    {
        await _slots.WaitAsync(cancellationToken);
        using IDisposable use = Use();
        using Activity? span = ImageTelemetry.BeginPull(image);
        long start = _time.GetTimestamp();
        try
        {
            LogPulling(image);
            ImageRecord record = await FetchWithDiskAsync(image, credentials, cancellationToken);
            lock (_lock)
            {
                Keep(_catalog.With(record));
                _partial.Forget(image);
                // A tag that moved may leave an older image without names; blobs of converted manifests go too.
                _sweepWanted = true;
            }

            TimeSpan took = _time.GetElapsedTime(start);
            ImageTelemetry.Pulled(span, took, record.SizeBytes);
            LogPulled(image, record.Id, record.SizeBytes >> 10, took.TotalSeconds);
            return record.Id;
        }
        catch (Exception e)
        {
            ImageException? known = Explain(image, e);
            lock (_lock)
            {
                _sweepWanted = true;
                if (!IsWorthKeeping(known, e))
                {
                    _partial.Forget(image);
                }
            }

            ImageTelemetry.Failed(span, _time.GetElapsedTime(start), known ?? e);
            LogPullFailed(image, (known ?? e).Message);
            if (known is null || ReferenceEquals(known, e))
            {
                throw;
            }

            throw known;
        }
        finally
        {
            _slots.Release();
        }
    }

    /// <summary>The blobs that came are good, and a caller will ask again: it gave up, or its registry did.</summary>
    private static bool IsWorthKeeping(ImageException? known, Exception exception) =>
        known?.Fault is ImageFault.RegistryUnavailable or ImageFault.Unauthorized || (known is null && exception is OperationCanceledException);

    private ImageException? Explain(ImageReference image, Exception exception) => exception switch
    {
        ImageException known => known,
        LayerException layer => new ImageException(layer.Fault, image.ToString(), $"Could not pull {image}: {layer.Message}", layer),
        IOException full when StoreSpace.SaysFull(full) => StoreSpace.Exhausted(image.ToString(), "pulling it", _directory.CatalogPath, full),
        _ => null,
    };

    /// <summary>Fetches the image and makes its disk; once more when a blob that was here before turns out to be damaged.</summary>
    private async Task<ImageRecord> FetchWithDiskAsync(ImageReference image, RegistryCredentials? credentials, CancellationToken cancellationToken)
    {
        ImageRecord record = await _puller.FetchAsync(image, credentials, cancellationToken);
        try
        {
            await EnsureDiskAsync(image.ToString(), record, cancellationToken);
            return record;
        }
        catch (LayerException e) when (File.Exists(e.Layer.BlobPath))
        {
            string found = await BlobDigest.OfFileAsync(e.Layer.BlobPath, cancellationToken);
            if (found == e.Layer.Digest)
            {
                throw;
            }

            LogDamaged(e.Layer.Digest, found);
            File.Delete(e.Layer.BlobPath);
        }

        record = await _puller.FetchAsync(image, credentials, cancellationToken);
        await EnsureDiskAsync(image.ToString(), record, cancellationToken);
        return record;
    }
}
