using System.Buffers;
using System.IO.Pipelines;
using Vks.Agent.Host;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Containers;

/// <summary>The stdio of one process: three pipes or a terminal. The process's ends are closed in <see cref="Detach"/> once it has them.</summary>
internal sealed class ContainerStdio : IDisposable
{
    private readonly int[] _theirs = [-1, -1, -1];
    private readonly ConsoleSocket? _console;
    private readonly SemaphoreSlim _feeding = new(1, 1);

    /// <summary>Makes the descriptors.</summary>
    /// <param name="terminal">A terminal instead of pipes.</param>
    /// <param name="stdin">Input stays open; otherwise it is /dev/null.</param>
    /// <param name="consolePath">Where crun hands over the terminal.</param>
    internal ContainerStdio(bool terminal, bool stdin, string consolePath)
    {
        try
        {
            if (terminal)
            {
                _console = new ConsoleSocket(consolePath);
                for (var i = 0; i < 3; i++)
                {
                    _theirs[i] = Descriptors.Null();
                }

                return;
            }

            if (stdin)
            {
                (_theirs[0], int writer) = Descriptors.Pipe();
                Input = new AsyncFd(writer);
            }
            else
            {
                _theirs[0] = Descriptors.Null();
            }

            (int output, _theirs[1]) = Descriptors.Pipe();
            Output = new AsyncFd(output);
            (int error, _theirs[2]) = Descriptors.Pipe();
            Error = new AsyncFd(error);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Writes to the process, or null.</summary>
    internal AsyncFd? Input { get; private set; }

    /// <summary>Reads its output, or the terminal's.</summary>
    internal AsyncFd? Output { get; private set; }

    /// <summary>Reads its errors; null with a terminal.</summary>
    internal AsyncFd? Error { get; private set; }

    /// <summary>The terminal, or null.</summary>
    internal AsyncFd? Terminal { get; private set; }

    /// <summary>Descriptors for the process.</summary>
    internal (int In, int Out, int Error) Theirs => (_theirs[0], _theirs[1], _theirs[2]);

    /// <summary>crun's arguments for the terminal.</summary>
    internal IReadOnlyList<string> CrunArguments => _console is null ? [] : ["--console-socket", _console.Path];

    /// <summary>Lets the root of a user namespace open the pipes anew, as <c>/dev/stdout</c>; crun passes them on to another user.</summary>
    internal void GiveTo(GuestUserNamespace? map)
    {
        if (map is null || _console is not null)
        {
            return;
        }

        foreach (int fd in _theirs)
        {
            // /dev/null among them stays the guest's: anyone may open it.
            if (Descriptors.IsPipe(fd) && Libc.ChangeOwner(fd, map.Uids.First, map.Gids.First) != 0)
            {
                throw SystemError.Last("Giving a pipe to the pod's root");
            }
        }
    }

    /// <summary>Takes the terminal from crun, which has ended, and closes the process's ends.</summary>
    internal void Detach()
    {
        if (_console is not null)
        {
            Terminal = Input = Output = _console.Receive();
        }

        CloseTheirs();
    }

    /// <summary>Ends the process's input. A terminal has no end of its own.</summary>
    internal void CloseInput()
    {
        if (Terminal is null)
        {
            Input?.Dispose();
            Input = null;
        }
    }

    /// <summary>Copies to the process's input until the source ends; true when it did, false when the process stopped reading.</summary>
    internal async Task<bool> CopyInputAsync(PipeReader source, CancellationToken cancellationToken)
    {
        while (true)
        {
            ReadResult result = await source.ReadAsync(cancellationToken);
            ReadOnlySequence<byte> bytes = result.Buffer;
            try
            {
                foreach (ReadOnlyMemory<byte> piece in bytes)
                {
                    await WriteInputAsync(piece, cancellationToken);
                }
            }
            catch (Exception exception) when (exception is IOException or ObjectDisposedException)
            {
                // EPIPE: nobody reads any more. What is left is thrown away so that the host is not blocked.
                source.AdvanceTo(bytes.End);
                return false;
            }

            source.AdvanceTo(bytes.End);
            if (result.IsCompleted)
            {
                return true;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        CloseTheirs();
        _console?.Dispose();
        Input?.Dispose();
        Output?.Dispose();
        Error?.Dispose();
    }

    /// <summary>A client that attaches while another is still there, or on its way out, writes between that one's pieces.</summary>
    private async ValueTask WriteInputAsync(ReadOnlyMemory<byte> piece, CancellationToken cancellationToken)
    {
        await _feeding.WaitAsync(cancellationToken);
        try
        {
            await (Input?.WriteAsync(piece, cancellationToken) ?? ValueTask.CompletedTask);
        }
        finally
        {
            _feeding.Release();
        }
    }

    private void CloseTheirs()
    {
        Descriptors.Close(_theirs);
        _theirs.AsSpan().Fill(-1);
    }
}
