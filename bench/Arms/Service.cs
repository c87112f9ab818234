using System.Net;
using System.Net.Sockets;
using Tmds.Linux;
using Vks.Runtime.Host;

namespace Vks.Bench.Arms;

/// <summary>A program that runs for as long as the benchmark needs it, and ends with it.</summary>
internal sealed class Service : IAsyncDisposable
{
    private static readonly TimeSpan s_startTime = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_endTime = TimeSpan.FromSeconds(20);

    private static readonly string[] s_programFolders = ["/usr/local/bin", "/usr/bin", "/usr/sbin", "/bin", "/sbin"];

    private readonly string _name;
    private readonly ChildProcess _child;
    private bool _disposed;

    private Service(string name, ChildProcess child) => (_name, _child) = (name, child);

    /// <summary>Its process id.</summary>
    public int Pid => _child.Process.Pid;

    /// <summary>The last it said.</summary>
    public string Words => _child.OutputTail;

    /// <summary>Starts a program and waits until somebody listens at its address.</summary>
    /// <param name="program">Absolute path.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="address">A unix socket or a TCP port of its own.</param>
    /// <param name="cancellationToken">Gives the start up.</param>
    /// <exception cref="BenchException">It ended, or did not listen within 30 s; its last words are in the message.</exception>
    public static async Task<Service> StartAsync(string program, IReadOnlyList<string> arguments, EndPoint address, CancellationToken cancellationToken)
    {
        ChildProcess child;
        try
        {
            child = await ChildProcess.StartAsync(new ChildSettings { Program = program, Arguments = arguments });
        }
        catch (HostException problem)
        {
            throw new BenchException($"{program} could not be started: {problem.Message}", problem);
        }

        Service service = new(Path.GetFileName(program), child);
        try
        {
            await service.WaitUntilListeningAsync(address, cancellationToken);
            return service;
        }
        catch
        {
            await service.DisposeAsync();
            throw;
        }
    }

    /// <summary>Where a program is on this host.</summary>
    /// <param name="name">Name of the program.</param>
    /// <param name="package">The Debian package that has it.</param>
    /// <exception cref="BenchException">It is not installed.</exception>
    public static string Find(string name, string package) =>
        s_programFolders.Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists)
        ?? throw new BenchException($"{name} is not installed. Do: apt-get install {package} (./vks bench does it).");

    /// <summary>SIGTERM, 20 s, SIGKILL; returns when it is gone.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _child.Process.Signal(LibC.SIGTERM);
        if (await Task.WhenAny(_child.Process.Exited, Task.Delay(s_endTime)) != _child.Process.Exited)
        {
            _child.Process.Signal(LibC.SIGKILL);
            await _child.Process.Exited;
        }

        _child.Dispose();
    }

    private async Task WaitUntilListeningAsync(EndPoint address, CancellationToken cancellationToken)
    {
        using CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(s_startTime);
        while (true)
        {
            using Socket probe = new(address.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                await probe.ConnectAsync(address, deadline.Token);
                return;
            }
            catch (SocketException)
            {
                // Start of a program that cannot tell when it is ready; nothing is timed yet.
                await Task.WhenAny(_child.Process.Exited, Task.Delay(TimeSpan.FromMilliseconds(50), CancellationToken.None));
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw new BenchException($"{_name} did not listen at {address} within {s_startTime.TotalSeconds} s. Its last words: {Words}");
            }

            if (_child.Process.Exited.IsCompleted)
            {
                throw new BenchException($"{_name} ended instead of listening at {address}: {await _child.Process.Exited}. Its last words: {Words}");
            }
        }
    }
}
