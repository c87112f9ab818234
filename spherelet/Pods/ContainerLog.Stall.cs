using System.Globalization;

namespace Vks.Spherelet.Pods;

/// <content>What happens when the disk of a log does not take its entries: it is full, broken, or does not answer.</content>
internal sealed partial class ContainerLog
{
    /// <summary>How long a container waits for the disk of its log until it goes on without.</summary>
    public static readonly TimeSpan StallLimit = TimeSpan.FromSeconds(30);

    /// <summary>An append that the container no longer waits for; while it is under way, nothing else goes to the file.</summary>
    private Task? _stuck;

    /// <summary>How much longer the file is once <see cref="_stuck"/> has ended.</summary>
    private int _stuckBytes;

    /// <summary>It has a notice in it.</summary>
    private bool _stuckTells;

    /// <summary>Appends to files that were moved away while their disk did not answer.</summary>
    private Task _leftBehind = Task.CompletedTask;
    private long _droppedBytes;
    private long _toldBytes;

    /// <summary>A notice went to the file since the position was kept: it counts for no byte, so nothing must be counted from before it.</summary>
    private bool _noticed;

    /// <summary>Bytes of both streams that were dropped and are not told in the log yet.</summary>
    public long DroppedBytes => Interlocked.Read(ref _droppedBytes);

    /// <summary>Counts bytes the guest no longer has and the log never got: a daemon ended while their disk did not take them.</summary>
    public async Task SkipToAsync(long outputBytes, long errorBytes, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            long skipped = Math.Max(0, outputBytes - _position.OutputBytes) + Math.Max(0, errorBytes - _position.ErrorBytes);
            if (skipped > 0)
            {
                Interlocked.Add(ref _droppedBytes, skipped);
            }

            Volatile.Write(ref _position, _position with { OutputBytes = outputBytes, ErrorBytes = errorBytes });
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Appends the batch, and waits for the disk only so long: later it is stored as soon as the disk takes it.</summary>
    private async Task AppendInTimeAsync(FileStream file, int notice, CancellationToken cancellationToken)
    {
        (_stuckBytes, _stuckTells) = (_batch.WrittenCount, notice > 0);
        _stuck = AppendAsync(file, _position.FileBytes, _batch.WrittenMemory);
        try
        {
            await _stuck.WaitAsync(StallLimit, _time, cancellationToken);
            _ = TakeUp();
        }
        catch (TimeoutException)
        {
            // The append goes on with its buffer.
            ContainerGoesOn(_path, StallLimit.TotalSeconds);
            _batch = new(32 * 1024);
        }
    }

    /// <summary>Looks whether the append that was left alone has ended.</summary>
    /// <returns>The file can be written to.</returns>
    private bool TakeUp()
    {
        if (_stuck is { IsCompleted: false })
        {
            return false;
        }

        if (_stuck is not null)
        {
            _stuck = null;
            Grow(_stuckBytes);
            if (_stuckTells)
            {
                NoteTold();
            }
        }

        return true;
    }

    private void Grow(int bytes) => Volatile.Write(ref _position, _position with { FileBytes = _position.FileBytes + bytes });

    private void Drop(long bytes, bool isError)
    {
        if (DroppedBytes == _toldBytes)
        {
            OutputIsDropped(_path, isError ? "stderr" : "stdout");
        }

        Interlocked.Add(ref _droppedBytes, bytes);
    }

    /// <summary>Tells in the log what is missing in it.</summary>
    /// <returns>The length of the entry, 0 when nothing is missing.</returns>
    private int WriteNotice()
    {
        if (DroppedBytes == 0)
        {
            return 0;
        }

        _toldBytes = DroppedBytes;
        ContainerLogFormat.WriteNotice(
            string.Create(CultureInfo.InvariantCulture, $"{_toldBytes} bytes of output are missing here: the disk of this log did not take them for {StallLimit.TotalSeconds:0} s"),
            _time.GetUtcNow(),
            _batch);
        return _batch.WrittenCount;
    }

    private void NoteTold()
    {
        OutputMissing(_path, _toldBytes);
        Interlocked.Add(ref _droppedBytes, -_toldBytes);
        _toldBytes = 0;
        _noticed = true;
    }

    /// <summary>Waits until all is stored, the notice of what was dropped included.</summary>
    private async Task FinishAsync(CancellationToken cancellationToken)
    {
        await _leftBehind.WaitAsync(cancellationToken);
        if (_stuck is { } stuck)
        {
            await stuck.WaitAsync(cancellationToken);
            _ = TakeUp();
        }

        _batch.ResetWrittenCount();
        if (WriteNotice() is > 0 and var notice && _file is { } file)
        {
            await AppendAsync(file, _position.FileBytes, _batch.WrittenMemory).WaitAsync(cancellationToken);
            Grow(notice);
            NoteTold();
        }
    }

    /// <summary>Closes a file as soon as the append to it, if any, has ended.</summary>
    private void LeaveBehind(FileStream? file)
    {
        if (_stuck is null || file is null)
        {
            file?.Dispose();
            return;
        }

        _leftBehind = Task.WhenAll(_leftBehind, CloseAfterAsync(_stuck, file));
        _stuck = null;

        static async Task CloseAfterAsync(Task append, FileStream file)
        {
            await append;
            await file.DisposeAsync();
        }
    }

    /// <summary>Writes until the disk has it all; given up only when the log is closed.</summary>
    private async Task AppendAsync(FileStream file, long length, ReadOnlyMemory<byte> entries)
    {
        while (true)
        {
            try
            {
                await file.WriteAsync(entries, CancellationToken.None);
                return;
            }
            catch (IOException cause)
            {
                CannotWrite(_path, cause);
                if (!await CutAsync(file, length))
                {
                    return;
                }
            }
        }
    }

    /// <summary>Takes a half entry back and waits a moment.</summary>
    /// <returns>False: the log is closed.</returns>
    private async Task<bool> CutAsync(FileStream file, long length)
    {
        try
        {
            file.SetLength(length);
            file.Position = length;
        }
        catch (IOException)
        {
            // The next write meets the same fault and tells it.
        }

        try
        {
            await Task.Delay(RetryDelay, _time, _closed);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    [LoggerMessage(3110, LogLevel.Error, "Container log {Path} cannot be written, trying again")]
    private partial void CannotWrite(string path, Exception cause);

    [LoggerMessage(3111, LogLevel.Error, "Container log {Path}: its disk did not take an entry for {Seconds} s; the container goes on, what it writes meanwhile is dropped")]
    private partial void ContainerGoesOn(string path, double seconds);

    [LoggerMessage(3112, LogLevel.Warning, "Container log {Path}: output of {Stream} is dropped until its disk takes entries again")]
    private partial void OutputIsDropped(string path, string stream);

    [LoggerMessage(3113, LogLevel.Error, "Container log {Path}: {Bytes} bytes of output are missing in it")]
    private partial void OutputMissing(string path, long bytes);

    [LoggerMessage(3114, LogLevel.Warning, "Container log {Path}: how far it is could not be kept, trying again with its next entries")]
    private partial void PositionNotKept(string path, Exception cause);
}
