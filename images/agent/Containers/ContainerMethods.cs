using Vks.Agent.Channel;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Containers;

/// <summary>The methods about containers.</summary>
internal sealed class ContainerMethods(ContainerTable containers, ExecTable execs)
{
    private static readonly Empty _empty = new();
    private readonly Lock _lock = new();
    private readonly Dictionary<string, CancellationTokenSource> _readers = new(StringComparer.Ordinal);

    /// <summary>Registers them.</summary>
    internal void Register(MethodTable methods)
    {
        methods.Register(GuestMethods.CreateContainer, static () => GuestJson.Default.ContainerSpec, static () => GuestJson.Default.ContainerMade, (_, spec, token) => containers.CreateAsync(spec, token));
        methods.Register(GuestMethods.StartContainer, static () => GuestJson.Default.ContainerReference, static () => GuestJson.Default.ContainerStarted, (_, container, _) => containers.StartAsync(container.ContainerId));
        methods.Register(GuestMethods.SignalContainer, static () => GuestJson.Default.SignalRequest, static () => GuestJson.Default.Empty, (_, request, _) => Task.FromResult(Signal(request)));
        methods.Register(GuestMethods.WaitContainer, static () => GuestJson.Default.ContainerReference, static () => GuestJson.Default.ContainerReport, WaitAsync);
        methods.Register(GuestMethods.DeleteContainer, static () => GuestJson.Default.ContainerReference, static () => GuestJson.Default.Empty, async (_, container, _) =>
        {
            await containers.DeleteAsync(container.ContainerId);
            return _empty;
        });
        methods.Register(GuestMethods.ListContainers, static () => GuestJson.Default.Empty, static () => GuestJson.Default.ContainerList, (_, _, _) =>
            Task.FromResult(new ContainerList([.. containers.All.Select(container => container.Report)])));
        methods.Register(GuestMethods.DescribeContainer, static () => GuestJson.Default.ContainerReference, static () => GuestJson.Default.ContainerDescription, (_, container, _) =>
            Task.FromResult(containers.Get(container.ContainerId).Describe()));
        methods.Register(GuestMethods.ContainerOutput, static () => GuestJson.Default.OutputRequest, static () => GuestJson.Default.OutputResult, OutputAsync);
        methods.Register(GuestMethods.ContainerInput, static () => GuestJson.Default.ContainerReference, static () => GuestJson.Default.Empty, async (call, container, token) =>
        {
            await containers.Get(container.ContainerId).FeedAsync(call, token);
            return _empty;
        });
        methods.Register(GuestMethods.ResizeTerminal, static () => GuestJson.Default.ResizeRequest, static () => GuestJson.Default.Empty, (_, request, _) => Task.FromResult(Resize(request)));
        methods.Register(GuestMethods.Exec, static () => GuestJson.Default.ExecSpec, static () => GuestJson.Default.ExecResult, execs.RunAsync);
        methods.Register(GuestMethods.Stats, static () => GuestJson.Default.Empty, static () => GuestJson.Default.GuestStats, (_, _, _) => Usage.ReadAsync(containers.All));
        methods.Register(GuestMethods.UpdateContainer, static () => GuestJson.Default.UpdateRequest, static () => GuestJson.Default.Empty, async (_, request, _) =>
        {
            await containers.Get(request.ContainerId).UpdateAsync(request);
            return _empty;
        });
        methods.Register(GuestMethods.LimitPod, static () => GuestJson.Default.ResourceLimits, static () => GuestJson.Default.Empty, (_, limits, _) =>
        {
            containers.Limit(limits);
            return Task.FromResult(_empty);
        });
    }

    private Empty Signal(SignalRequest request)
    {
        if (request.Signal is < 1 or > 64)
        {
            throw new AgentException(GuestFault.InvalidRequest, $"{request.Signal} is no signal: 1 to 64 are expected.");
        }

        containers.Get(request.ContainerId).Signal(request.Signal, request.All);
        return _empty;
    }

    private Empty Resize(ResizeRequest request)
    {
        if (request.Columns is < 1 or > ushort.MaxValue || request.Rows is < 1 or > ushort.MaxValue)
        {
            throw new AgentException(GuestFault.InvalidRequest, $"A terminal cannot be {request.Columns}x{request.Rows}.");
        }

        if (request.ExecId is null)
        {
            containers.Get(request.ContainerId).Resize(request.Columns, request.Rows);
        }
        else
        {
            execs.Resize(request.ExecId, request.Columns, request.Rows);
        }

        return _empty;
    }

    private async Task<ContainerReport> WaitAsync(AgentCall call, ContainerReference reference, CancellationToken cancellationToken)
    {
        Container container = containers.Get(reference.ContainerId);
        await container.Exited.WaitAsync(cancellationToken);
        ContainerReport report = container.Report;
        return report.State == GuestContainerState.Exited
            ? report
            : throw new AgentException(GuestFault.NotFound, $"Container {container.Id} was deleted before it ran.");
    }

    /// <summary>A new reader takes the place of an old one: after a restart of the host the old call may not have been noticed as dead.</summary>
    private async Task<OutputResult> OutputAsync(AgentCall call, OutputRequest request, CancellationToken cancellationToken)
    {
        Container container = containers.Get(request.ContainerId);
        using var mine = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        CancellationTokenSource? other;
        lock (_lock)
        {
            _readers.TryGetValue(container.Id, out other);
            _readers[container.Id] = mine;
        }

        try
        {
            if (other is not null)
            {
                await other.CancelAsync();
            }
        }
        catch (ObjectDisposedException)
        {
            // It has just ended by itself.
        }

        try
        {
            Begin(container.Output, request.OutputOffset);
            Begin(container.Error, request.ErrorOffset);
            call.Acknowledged = (stream, total) => Acknowledge(container, request, stream, total);
            Task<long> output = container.Output.SendAsync(call, request.OutputOffset, mine.Token);
            Task<long> error = container.Error.SendAsync(call, request.ErrorOffset, mine.Token);
            await Task.WhenAll(output, error);
            return new OutputResult(await output, await error);
        }
        finally
        {
            lock (_lock)
            {
                if (_readers.TryGetValue(container.Id, out CancellationTokenSource? current) && current == mine)
                {
                    _readers.Remove(container.Id);
                }
            }
        }

        void Begin(OutputStream stream, long offset)
        {
            if (!stream.Ring.Release(offset))
            {
                throw new AgentException(
                    GuestFault.InvalidRequest,
                    $"Container {container.Id} does not keep the bytes from offset {offset} on: {stream.Ring.End} were written, and acknowledged ones are forgotten.");
            }
        }
    }

    private static void Acknowledge(Container container, OutputRequest request, GuestStream stream, long total)
    {
        if (stream == GuestStream.Output)
        {
            _ = container.Output.Ring.Release(request.OutputOffset + total);
        }
        else
        {
            _ = container.Error.Ring.Release(request.ErrorOffset + total);
        }
    }
}
