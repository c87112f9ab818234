using System.Globalization;
using System.Text.Json;
using Vks.Agent.Channel;
using Vks.Agent.Host;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Containers;

/// <summary>Runs further processes in containers.</summary>
/// <remarks>Each gets a cgroup of its own below the container's, so that killing it reaches everything it started.</remarks>
internal sealed class ExecTable(ContainerTable containers, Crun crun, Entry entry, Reaper reaper, TimeProvider time)
{
    private static readonly TimeSpan _drain = TimeSpan.FromSeconds(2);
    private readonly Lock _lock = new();
    private readonly Dictionary<string, AsyncFd?> _terminals = new(StringComparer.Ordinal);
    private int _number;

    /// <summary>Runs one process from its start to the end of its output.</summary>
    internal async Task<ExecResult> RunAsync(AgentCall call, ExecSpec spec, CancellationToken cancellationToken)
    {
        Container container = containers.Get(spec.ContainerId);
        if (spec.Args.Count == 0 || spec.Args[0].Length == 0)
        {
            throw new AgentException(GuestFault.InvalidRequest, $"The exec {spec.ExecId} names no program to run.");
        }

        container.Require(GuestContainerState.Running, "entered");
        lock (_lock)
        {
            if (!_terminals.TryAdd(spec.ExecId, null))
            {
                throw new AgentException(GuestFault.AlreadyExists, $"An exec '{spec.ExecId}' runs.");
            }
        }

        try
        {
            return await RunAsync(call, spec, container, cancellationToken);
        }
        finally
        {
            lock (_lock)
            {
                _terminals.Remove(spec.ExecId);
            }
        }
    }

    /// <summary>Sets the size of an exec's terminal.</summary>
    internal void Resize(string execId, int columns, int rows)
    {
        lock (_lock)
        {
            if (!_terminals.TryGetValue(execId, out AsyncFd? terminal))
            {
                throw new AgentException(GuestFault.NotFound, $"No exec '{execId}' runs.");
            }

            Descriptors.Resize(
                terminal?.Number ?? throw new AgentException(GuestFault.WrongState, $"Exec '{execId}' has no terminal yet."), columns, rows);
        }
    }

    private async Task<ExecResult> RunAsync(AgentCall call, ExecSpec spec, Container container, CancellationToken cancellationToken)
    {
        string name = "exec-" + Interlocked.Increment(ref _number).ToString(CultureInfo.InvariantCulture);
        string cgroup = Path.Combine(container.Cgroup.Folder, name);
        if (Libc.MakeDirectory(cgroup, 0x1ed) != 0) // 0755
        {
            throw SystemError.Last($"Making the cgroup {cgroup}");
        }

        try
        {
            using var stdio = new ContainerStdio(spec.Terminal, spec.Stdin || spec.Terminal, $"/run/vks/{name}.tty");
            stdio.GiveTo(container.Bundle.UserNamespace);
            using var deadline = new CancellationTokenSource(
                spec.TimeoutMilliseconds > 0 ? TimeSpan.FromMilliseconds(spec.TimeoutMilliseconds) : Timeout.InfiniteTimeSpan, time);
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, deadline.Token);
            Task<ChildExit> exit = Task.FromResult(new ChildExit(0));
            try
            {
                exit = await StartAsync(spec, container, stdio, name, stop.Token);
                return await ServeAsync(call, spec, stdio, exit, cgroup, stop.Token);
            }
            catch (OperationCanceledException) when (deadline.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                throw new AgentException(GuestFault.TimedOut, $"'{spec.Args[0]}' in container {container.Id} ran longer than {spec.TimeoutMilliseconds} ms and was killed.");
            }
            finally
            {
                if (stop.IsCancellationRequested)
                {
                    // Also what a killed crun had started: it enters its cgroup before it becomes the program.
                    container.Cgroup.Kill(name);
                    _ = await exit;
                }
            }
        }
        finally
        {
            // Processes left in the background keep it; crun removes it with the container.
            _ = Libc.RemoveDirectory(cgroup);
        }
    }

    private async Task<Task<ChildExit>> StartAsync(ExecSpec spec, Container container, ContainerStdio stdio, string name, CancellationToken cancellationToken)
    {
        ProcessSpec process = container.Spec.Process with { Args = spec.Args, Terminal = spec.Terminal };
        OciProcess oci = OciConfigWriter.Process(container.Spec, process, container.Bundle.User);
        string tried = $"Running '{spec.Args[0]}' in container {container.Id}";
        Task<ChildExit> exit = await entry.StartAsync(container, oci, Path.Combine(container.Cgroup.Folder, name), stdio.Theirs, tried, cancellationToken)
            ?? await StartByCrunAsync(container, oci, stdio, name, tried, cancellationToken);
        stdio.Detach();
        lock (_lock)
        {
            _terminals[spec.ExecId] = stdio.Terminal;
        }

        return exit;
    }

    private async Task<Task<ChildExit>> StartByCrunAsync(
        Container container, OciProcess process, ContainerStdio stdio, string name, string tried, CancellationToken cancellationToken)
    {
        string stem = Path.Combine(container.Bundle.Folder, name);
        try
        {
            await File.WriteAllBytesAsync(stem + ".json", JsonSerializer.SerializeToUtf8Bytes(process, OciJson.Default.OciProcess), cancellationToken);
            long since = reaper.Now;
            await crun.RunAsync(
                stem + ".log",
                ["exec", "--detach", "--cgroup", name, "--pid-file", stem + ".pid", "--process", stem + ".json", .. stdio.CrunArguments, container.Id],
                stdio.Theirs,
                tried,
                cancellationToken);
            return reaper.AdoptAsync(Crun.ReadPid(stem + ".pid"), since);
        }
        finally
        {
            _ = Libc.Unlink(stem + ".json");
            _ = Libc.Unlink(stem + ".pid");
        }
    }

    private static async Task<ExecResult> ServeAsync(
        AgentCall call, ExecSpec spec, ContainerStdio stdio, Task<ChildExit> exit, string cgroup, CancellationToken cancellationToken)
    {
        using var done = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var draining = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task input = spec.Stdin ? FeedAsync(call, stdio, done.Token) : Task.CompletedTask;
        Task output = CopyAsync(call, GuestStream.Output, stdio.Output!, draining.Token, cancellationToken);
        Task error = stdio.Error is null ? Task.CompletedTask : CopyAsync(call, GuestStream.Error, stdio.Error, draining.Token, cancellationToken);
        ChildExit ended = await exit.WaitAsync(cancellationToken);
        await done.CancelAsync();
        await input;
        if (Libc.RemoveDirectory(cgroup) != 0)
        {
            // It has processes: something stays in the background and may hold the pipes for ever.
            draining.CancelAfter(_drain);
        }

        await output;
        await error;
        return new ExecResult(ended.Code);
    }

    private static async Task FeedAsync(AgentCall call, ContainerStdio stdio, CancellationToken cancellationToken)
    {
        try
        {
            await stdio.CopyInputAsync(call.Input, cancellationToken);
            stdio.CloseInput();
        }
        catch (OperationCanceledException)
        {
            // The process has ended, or the call: RunAsync tells which.
        }
    }

    private static async Task CopyAsync(AgentCall call, GuestStream stream, AsyncFd source, CancellationToken reading, CancellationToken writing)
    {
        var chunk = new byte[32 * 1024];
        try
        {
            while (await source.ReadAsync(chunk, reading) is var got and > 0)
            {
                await call.WriteAsync(stream, chunk.AsMemory(0, got), writing);
            }
        }
        catch (OperationCanceledException) when (!writing.IsCancellationRequested)
        {
            // Drained for long enough.
        }

        await call.EndAsync(stream);
    }
}
