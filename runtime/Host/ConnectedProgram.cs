using System.Net.Sockets;

namespace Vks.Runtime.Host;

/// <summary>A program of the host that finds one end of a connection as its descriptor 3, and ends with us at the latest.</summary>
public sealed class ConnectedProgram : IAsyncDisposable
{
    private static readonly TimeSpan _endGrace = TimeSpan.FromSeconds(2);

    private readonly ChildProcess _program;
    private readonly TimeProvider _time;
    private string? _lastWords;

    private ConnectedProgram(ChildProcess program, Stream connection, TimeProvider time) => (_program, Connection, _time) = (program, connection, time);

    /// <summary>Our end.</summary>
    public Stream Connection { get; }

    /// <summary>The last 16 KiB of what it wrote to stdout and stderr; whole once this is disposed.</summary>
    public string OutputTail => _lastWords ?? _program.OutputTail;

    /// <summary>Starts it.</summary>
    /// <param name="path">Absolute path of the program.</param>
    /// <param name="environment">Its whole environment.</param>
    /// <param name="time">The clock of its end.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="HostException">It cannot be executed.</exception>
    public static async Task<ConnectedProgram> StartAsync(
        string path, IReadOnlyDictionary<string, string> environment, TimeProvider time, CancellationToken cancellationToken)
    {
        (Socket ours, Socket theirs) = await PairAsync(cancellationToken);
        try
        {
            using (theirs)
            {
                ChildProcess program = await ChildProcess.StartAsync(new ChildSettings
                {
                    Program = path,
                    Arguments = [],
                    Environment = environment,
                    Descriptors = [(3, theirs.SafeHandle)],
                });
                return new ConnectedProgram(program, new NetworkStream(ours, ownsSocket: true), time);
            }
        }
        catch
        {
            ours.Dispose();
            throw;
        }
    }

    /// <summary>Hangs up; a program that does not end by that is killed after 2 s. Safe to call twice.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_lastWords is not null)
        {
            return;
        }

        await Connection.DisposeAsync();
        using (_program)
        {
            if (await Task.WhenAny(_program.Process.Exited, Task.Delay(_endGrace, _time)) != _program.Process.Exited)
            {
                _program.Process.Signal(Tmds.Linux.LibC.SIGKILL);
                await _program.Process.Exited;
            }

            // What it started may hold the pipe open.
            await Task.WhenAny(_program.OutputEnded, Task.Delay(_endGrace, _time));
            _lastWords = _program.OutputTail;
        }
    }

    private static async Task<(Socket Ours, Socket Theirs)> PairAsync(CancellationToken cancellationToken)
    {
        // An address without a file: it begins with a zero (unix(7)), and is gone with the listener.
        var address = new UnixDomainSocketEndPoint($"\0vks-{Guid.NewGuid():N}");
        using Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(address);
        listener.Listen(1);
        Socket theirs = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            // Not asynchronously: that would make the descriptor non-blocking, for the program too, which does not expect it.
            await Task.Run(() => theirs.Connect(address), cancellationToken);
            return (await listener.AcceptAsync(cancellationToken), theirs);
        }
        catch
        {
            theirs.Dispose();
            throw;
        }
    }
}
