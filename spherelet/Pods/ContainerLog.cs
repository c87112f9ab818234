using System.Buffers;

namespace Vks.Spherelet.Pods;

/// <summary>One container's log file: entries are appended in batches, and the file can be changed without losing one.</summary>
/// <remarks>
/// Both streams write here, one at a time. A path that is empty keeps nothing and counts all the same. A disk that does not take the
/// entries holds the container up for <see cref="StallLimit"/>; what it writes after that is dropped, counted, and told in the log
/// itself as soon as the disk takes entries again.
/// </remarks>
internal sealed partial class ContainerLog : IAsyncDisposable
{
    /// <summary>How many bytes go to the file until the position is kept again; bounds what a restart has to count.</summary>
    private const long PositionEveryBytes = 1024 * 1024;

    /// <summary>How long to wait before trying again when the log's disk is full.</summary>
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    private readonly string _path;
    private readonly Action<LogPosition> _keep;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly CancellationTokenSource _closing = new();
    private readonly CancellationToken _closed;
    private ArrayBufferWriter<byte> _batch = new(32 * 1024);
    private FileStream? _file;
    private LogPosition _position;
    private long _keptAt;

    private ContainerLog(string path, LogPosition position, Action<LogPosition> keep, TimeProvider time, ILogger logger)
    {
        _path = path;
        _keep = keep;
        _time = time;
        _logger = logger;
        _closed = _closing.Token;
        _file = Open(path);
        _position = position with { FileBytes = _file?.Length ?? 0 };
    }

    /// <summary>What is stored by now.</summary>
    public LogPosition Position => Volatile.Read(ref _position);

    /// <summary>Opens the log and finds out what it already holds.</summary>
    /// <param name="path">Absolute path; its directory is made when missing. Empty for no log.</param>
    /// <param name="kept">The position that was last kept; null for a container that has not run, whatever the file holds.</param>
    /// <param name="keep">Keeps a position; called often enough for a restart to find the exact one.</param>
    /// <param name="time">The clock of the entries.</param>
    /// <param name="logger">Hears of a disk that is full.</param>
    /// <exception cref="PodException"><see cref="PodFault.HostFailed"/>: the file cannot be opened.</exception>
    public static ContainerLog OpenAt(string path, LogPosition? kept, Action<LogPosition> keep, TimeProvider time, ILogger logger)
    {
        try
        {
            LogPosition position = (path, kept) switch
            {
                ("", _) => kept ?? LogPosition.Start,
                (_, null) => LogPosition.Start,
                _ => ContainerLogRecovery.Recover(path, kept),
            };
            var log = new ContainerLog(path, position, keep, time, logger);
            log.Keep();
            return log;
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            throw new PodException(PodFault.HostFailed, path, $"The container log '{path}' could not be opened: {cause.Message}", cause);
        }
    }

    /// <summary>Appends what is whole and returns how many bytes of the input are stored.</summary>
    /// <param name="input">Bytes of one stream from where the last call left off.</param>
    /// <param name="end">The stream ends with them.</param>
    /// <param name="isError">Standard error instead of standard output.</param>
    /// <param name="cancellationToken">Ends the waiting for a full disk; whether this call's bytes are stored then is told by the file alone.</param>
    public async ValueTask<long> WriteAsync(ReadOnlySequence<byte> input, bool end, bool isError, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            _batch.ResetWrittenCount();
            bool writable = TakeUp();
            int notice = writable ? WriteNotice() : 0;
            long consumed = ContainerLogFormat.Write(input, end, isError, _time.GetUtcNow(), _batch);
            if (consumed == 0)
            {
                return 0;
            }

            if (!writable)
            {
                Drop(consumed, isError);
            }
            else if (_file is not null)
            {
                await AppendInTimeAsync(_file, notice, cancellationToken);
            }

            // Of bytes that wait for the disk or were dropped the guest need not keep a copy, either.
            Volatile.Write(ref _position, _position with
            {
                OutputBytes = _position.OutputBytes + (isError ? 0 : consumed),
                ErrorBytes = _position.ErrorBytes + (isError ? consumed : 0),
            });
            if (_stuck is null && (_noticed || _position.FileBytes - _keptAt >= PositionEveryBytes))
            {
                Keep();
            }

            return consumed;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Goes on in a new file at the same path, after the old one was moved away. No entry is lost or cut.</summary>
    /// <exception cref="PodException"><see cref="PodFault.HostFailed"/>: the new file cannot be opened; the old one is still written to.</exception>
    public async Task ReopenAsync(CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            // Kept before and after, so that a daemon killed in between counts from here, whichever file it finds.
            Keep();
            FileStream? old = _file;
            _file = Open(_path);
            LeaveBehind(old);
            Volatile.Write(ref _position, _position with { FileBytes = _file?.Length ?? 0 });
            Keep();
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            throw new PodException(PodFault.HostFailed, _path, $"The container log '{_path}' could not be opened anew: {cause.Message}", cause);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Notes that both streams have ended and all is stored; waits for a disk that does not take it, now that no container does.</summary>
    public async Task CompleteAsync(CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            await FinishAsync(cancellationToken);
            Volatile.Write(ref _position, _position with { Complete = true });
            Keep();
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Closes the file. What was written stays; a write that the disk still holds is not waited for.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_closed.IsCancellationRequested)
        {
            await _closing.CancelAsync();
        }

        await _gate.WaitAsync();
        try
        {
            LeaveBehind(_file);
            _file = null;
            _closing.Dispose();
        }
        finally
        {
            _gate.Release();
        }
    }

    private void Keep()
    {
        try
        {
            _keep(_position);
            _keptAt = _position.FileBytes;
            _noticed = false;
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            // Asked again with the next entries: a restart counts from the position kept before.
            PositionNotKept(_path, cause);
        }
    }

    private static FileStream? Open(string path)
    {
        if (path.Length == 0)
        {
            return null;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.OpenOrCreate,
            Access = FileAccess.Write,
            Share = FileShare.ReadWrite | FileShare.Delete,
            Options = FileOptions.None,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead,
        });
        file.Seek(0, SeekOrigin.End);
        return file;
    }
}
