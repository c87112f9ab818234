using System.Buffers;
using System.Diagnostics;
using System.IO.Pipelines;

namespace Vks.Runtime.Guest.Protocol;

/// <summary>
/// The receiver's side of one stream: bytes wait here, at most <see cref="ProtocolLimits.InitialWindowBytes"/>, until the consumer
/// takes them from <see cref="Reader"/>; credit goes back as it does.
/// </summary>
/// <param name="sendCredit">Sends Credit for a number of bytes; must not wait.</param>
internal sealed class ReceiveStream(Action<int> sendCredit)
{
    /// <summary>Consumed bytes that are worth a Credit frame: a quarter window keeps the sender busy at 20 bytes for 64 KiB.</summary>
    private const int CreditStepBytes = ProtocolLimits.InitialWindowBytes / 4;

    private readonly Lock _gate = new();
    private readonly Pipe _pipe = new(new PipeOptions(pauseWriterThreshold: 0, useSynchronizationContext: false));
    private CreditingReader? _reader;
    private int _outstanding;
    private int _uncredited;
    private bool _readerDone;
    private bool _ended;

    /// <summary>The consumer's end; completing it drops what is left and what still comes.</summary>
    public PipeReader Reader
    {
        get
        {
            lock (_gate)
            {
                return _reader ??= new CreditingReader(this);
            }
        }
    }

    /// <summary>Takes bytes from the peer; never waits. Called by one read loop.</summary>
    /// <returns>False: the peer overran its credit; the bytes were dropped.</returns>
    public bool TryAppend(ReadOnlySpan<byte> bytes)
    {
        bool drop;
        lock (_gate)
        {
            if (_ended)
            {
                return true;
            }

            if (bytes.Length > ProtocolLimits.InitialWindowBytes - _outstanding)
            {
                return false;
            }

            _outstanding += bytes.Length;
            drop = _readerDone;
            if (!drop)
            {
                _pipe.Writer.Write(bytes);
                ValueTask<FlushResult> flush = _pipe.Writer.FlushAsync(CancellationToken.None);
                Debug.Assert(flush.IsCompleted, "The pipe never pauses its writer, the window bounds it.");
            }
        }

        if (drop)
        {
            Consumed(bytes.Length, atOnce: true);
        }

        return true;
    }

    /// <summary>No more bytes come: a clean end, or the fault that readers get after the bytes that did come.</summary>
    public void End(Exception? fault = null)
    {
        lock (_gate)
        {
            if (!_ended)
            {
                _ended = true;
                _pipe.Writer.Complete(fault);
            }
        }
    }

    private void Consumed(long bytes, bool atOnce)
    {
        int credit = 0;
        lock (_gate)
        {
            _uncredited += (int)bytes;
            if (_uncredited >= CreditStepBytes || (atOnce && _uncredited > 0))
            {
                credit = _uncredited;
                _outstanding -= credit;
                _uncredited = 0;
            }

            if (_ended)
            {
                return;
            }
        }

        if (credit > 0)
        {
            sendCredit(credit);
        }
    }

    private void ReaderDone()
    {
        int left;
        lock (_gate)
        {
            _readerDone = true;
            left = _outstanding - _uncredited;
        }

        Consumed(left, atOnce: true);
    }

    /// <summary>Counts what the consumer takes.</summary>
    private sealed class CreditingReader(ReceiveStream owner) : PipeReader
    {
        private readonly PipeReader _inner = owner._pipe.Reader;
        private ReadOnlySequence<byte> _last;

        public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
        {
            ReadResult result = await _inner.ReadAsync(cancellationToken);
            _last = result.Buffer;
            return result;
        }

        public override bool TryRead(out ReadResult result)
        {
            bool read = _inner.TryRead(out result);
            _last = read ? result.Buffer : _last;
            return read;
        }

        public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
        {
            long bytes = _last.Slice(_last.Start, consumed).Length;
            _last = default;
            _inner.AdvanceTo(consumed, examined);
            if (bytes > 0)
            {
                owner.Consumed(bytes, atOnce: false);
            }
        }

        public override void CancelPendingRead() => _inner.CancelPendingRead();

        public override void Complete(Exception? exception = null)
        {
            _inner.Complete(exception);
            owner.ReaderDone();
        }
    }
}
