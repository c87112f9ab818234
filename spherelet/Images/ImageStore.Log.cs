namespace Vks.Spherelet.Images;

/// <content>What an operator reads of the store.</content>
internal sealed partial class ImageStore
{
    [LoggerMessage(3210, LogLevel.Information, "Image store {Directory}: {Count} images, {Killed} leftover tools ended, {Freed} leftover bytes removed")]
    private static partial void LogOpened(ILogger logger, string directory, int count, int killed, long freed);

    [LoggerMessage(3211, LogLevel.Error, "The record of images {Path} is unreadable; it was set aside, images must be pulled again")]
    private static partial void LogCatalogUnreadable(ILogger logger, string path);

    [LoggerMessage(3212, LogLevel.Warning, "Image {ImageId} has lost blobs and is forgotten")]
    private static partial void LogBroken(ILogger logger, string imageId);

    [LoggerMessage(3213, LogLevel.Information, "Pulling {Image}")]
    private partial void LogPulling(ImageReference image);

    [LoggerMessage(3214, LogLevel.Information, "Pulled {Image} as {ImageId}, {KiB} KiB in {Seconds:0.00} s")]
    private partial void LogPulled(ImageReference image, string imageId, long kiB, double seconds);

    [LoggerMessage(3215, LogLevel.Warning, "Pull of {Image} failed: {Reason}")]
    private partial void LogPullFailed(ImageReference image, string reason);

    [LoggerMessage(3216, LogLevel.Information, "Disk of {Image} built from {Layers} layers, {KiB} KiB in {Seconds:0.00} s")]
    private partial void LogDiskBuilt(string image, int layers, long kiB, double seconds);

    [LoggerMessage(3217, LogLevel.Warning, "Blob {Digest} is damaged (it is {Found}) and fetched again")]
    private partial void LogDamaged(string digest, string found);

    [LoggerMessage(3218, LogLevel.Information, "Removed image {Reference} ({ImageId})")]
    private partial void LogRemoved(string reference, string imageId);

    [LoggerMessage(3219, LogLevel.Warning, "Could not remove what no image needs; tried again after the next pull or removal")]
    private partial void LogSweepFailed(Exception cause);

    [LoggerMessage(3221, LogLevel.Information, "The pull of {Image} was interrupted; {Here} of its {Blobs} blobs are here and stay for the next try")]
    private static partial void LogInterrupted(ILogger logger, string image, int here, int blobs);

    [LoggerMessage(3222, LogLevel.Information, "Removed image {Image} ({ImageId}): {Reason}; {KiB} KiB freed")]
    private partial void LogCollected(string image, string imageId, string reason, long kiB);
}
