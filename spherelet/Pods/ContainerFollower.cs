using System.Buffers;
using System.IO.Pipelines;
using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Machines;

namespace Vks.Spherelet.Pods;

/// <summary>Follows running containers: brings their output to the log and their end to the record.</summary>
internal sealed partial class ContainerFollower(TimeProvider time, ILogger<ContainerFollower> logger)
{
    /// <summary>How long the end of a container waits for its last output; a process left behind may hold the pipe open.</summary>
    private static readonly TimeSpan LastOutputWait = TimeSpan.FromSeconds(1);

    /// <summary>How long to wait before asking again after the channel broke while the machine runs.</summary>
    private static readonly TimeSpan ReconnectDelay = TimeSpan.FromMilliseconds(100);

    /// <summary>How long to wait before keeping a record again that the disk did not take.</summary>
    private static readonly TimeSpan KeepDelay = TimeSpan.FromSeconds(1);

    /// <summary>SIGKILL as an exit code: what became of a container whose machine ended.</summary>
    private const int KilledExitCode = 128 + Signals.Kill;

    /// <summary>Follows one container until its end is kept and its output stored, or the token ends. Never throws.</summary>
    public async Task FollowAsync(Container container, CancellationToken cancellationToken)
    {
        await Task.Yield();
        try
        {
            Task output = StoreOutputAsync(container, cancellationToken);
            if (container.Record.Phase != ContainerPhase.Exited)
            {
                ContainerReport? report = await RetryAsync(
                    container,
                    guest => guest.CallAsync(
                        GuestMethods.WaitContainer,
                        new ContainerReference(container.Id),
                        GuestJson.Default.ContainerReference,
                        GuestJson.Default.ContainerReport,
                        cancellationToken),
                    cancellationToken);
                if (report is not null)
                {
                    await Task.WhenAny(output, Task.Delay(LastOutputWait, time, cancellationToken));
                }

                await KeepAsync(container, record => report is null ? Killed(record, container.Sandbox) : Ended(record, report), cancellationToken);
                ContainerEnded(container.Id, container.Record.ExitCode, container.Record.Reason);
            }

            await output;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The container was removed, or the daemon ends and the next one goes on from the kept position.
            if (container.Record.Phase == ContainerPhase.Exited && container.Log is { Position.Complete: false })
            {
                LeftIncomplete(container.Id);
            }
        }
        catch (Exception cause)
        {
            FollowingFailed(container.Id, cause);
        }
        finally
        {
            container.Output.Complete();
        }
    }

    /// <summary>Keeps a change, again and again when the disk is full: nobody else would tell that the container ended.</summary>
    private async Task KeepAsync(Container container, Func<ContainerRecord, ContainerRecord> change, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                container.Change(change);
                return;
            }
            catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
            {
                EndNotKept(container.Id, cause);
                await Task.Delay(KeepDelay, time, cancellationToken);
            }
        }
    }

    /// <summary>The record of a container that ended in its guest.</summary>
    /// <remarks>The guest's clock may be off a little; how long the container ran is taken from it, and when it began from the host.</remarks>
    internal ContainerRecord Ended(ContainerRecord record, ContainerReport report)
    {
        long now = UnixTime.Nanoseconds(time.GetUtcNow());
        long started = record.StartedUnixNanoseconds != 0 ? record.StartedUnixNanoseconds : Math.Clamp(report.StartedUnixNanoseconds, record.CreatedUnixNanoseconds, now);
        long ran = Math.Max(0, report.FinishedUnixNanoseconds - report.StartedUnixNanoseconds);
        return record with
        {
            StartedUnixNanoseconds = started,
            FinishedUnixNanoseconds = Math.Min(started + ran, Math.Max(started, now)),
            ExitCode = report.ExitCode,
            Reason = report.OutOfMemory ? "OOMKilled" : report.ExitCode == 0 ? "Completed" : "Error",
        };
    }

    /// <summary>The record of a container that ended with its machine.</summary>
    internal ContainerRecord Killed(ContainerRecord record, PodSandbox sandbox) => record with
    {
        FinishedUnixNanoseconds = UnixTime.Nanoseconds(time.GetUtcNow()),
        ExitCode = KilledExitCode,
        Reason = "Error",
        Message = $"The pod's machine ended: {sandbox.DownReason()}",
    };

    private async Task StoreOutputAsync(Container container, CancellationToken cancellationToken)
    {
        ContainerLog log = container.Log!;
        if (log.Position.Complete)
        {
            return;
        }

        var rests = new byte[2][];
        OutputResult? result = await RetryAsync(container, guest => StoreOutputAsync(container, guest, rests, cancellationToken), cancellationToken);

        // A last line without newline may be written once it is sure that the streams ended and were not cut, be it with the machine.
        await log.WriteAsync(new ReadOnlySequence<byte>(rests[0] ?? []), end: true, isError: false, cancellationToken);
        await log.WriteAsync(new ReadOnlySequence<byte>(rests[1] ?? []), end: true, isError: true, cancellationToken);
        if (result is not null || container.Sandbox.Machine?.Current.State is null or MachineState.Stopped or MachineState.Removed)
        {
            await log.CompleteAsync(cancellationToken);
        }
    }

    private async Task<OutputResult> StoreOutputAsync(Container container, GuestClient guest, byte[][] rests, CancellationToken cancellationToken)
    {
        LogPosition from = container.Log!.Position;
        await using GuestCall<OutputResult> call = await guest.OpenAsync(
            GuestMethods.ContainerOutput,
            new OutputRequest(container.Id, from.OutputBytes, from.ErrorBytes),
            GuestJson.Default.OutputRequest,
            GuestJson.Default.OutputResult,
            cancellationToken);
        Task output = StoreStreamAsync(container, call.Output, from.OutputBytes, isError: false, rests, cancellationToken);
        Task error = StoreStreamAsync(container, call.Error, from.ErrorBytes, isError: true, rests, cancellationToken);
        try
        {
            await Task.WhenAll(output, error);
            return await call.Completion;
        }
        catch (GuestException refused) when (refused.Fault == GuestFault.InvalidRequest)
        {
            await SkipForgottenAsync(container, guest, cancellationToken);
            throw new GuestException(refused.Fault, refused.Message, connectionLost: true, refused);
        }
    }

    /// <summary>The guest keeps only what was not acknowledged. An earlier daemon that ended while the disk of the log was stuck had taken more than the log holds.</summary>
    private async Task SkipForgottenAsync(Container container, GuestClient guest, CancellationToken cancellationToken)
    {
        ContainerList list = await guest.CallAsync(
            GuestMethods.ListContainers, new Empty(), GuestJson.Default.Empty, GuestJson.Default.ContainerList, cancellationToken);
        if (list.Containers.FirstOrDefault(report => report.ContainerId == container.Id) is { } kept)
        {
            LogPosition had = container.Log!.Position;
            OutputForgotten(container.Id, had.OutputBytes, had.ErrorBytes, kept.OutputStart, kept.ErrorStart);
            await container.Log.SkipToAsync(kept.OutputStart, kept.ErrorStart, cancellationToken);
        }
    }

    /// <summary>Stores one stream to its end, or to where it was cut; leaves the beginning of a line whose end has not come in <paramref name="rests"/>.</summary>
    private async Task StoreStreamAsync(
        Container container, PipeReader reader, long offset, bool isError, byte[][] rests, CancellationToken cancellationToken)
    {
        ContainerLog log = container.Log!;
        while (true)
        {
            ReadResult read = await reader.ReadAsync(cancellationToken);
            ReadOnlySequence<byte> rest = read.Buffer;
            long stored = await log.WriteAsync(rest, end: false, isError, cancellationToken);
            await container.Output.PublishAsync(isError, offset, rest, time, cancellationToken);
            rest = rest.Slice(stored);
            offset += stored;
            rests[isError ? 1 : 0] = rest.ToArray();

            // Consumed gives credit back to the guest, which forgets those bytes: only what the log holds.
            reader.AdvanceTo(rest.Start, rest.End);
            if (read.IsCompleted)
            {
                return;
            }
        }
    }

    /// <summary>Calls the guest, again after a broken channel, and gives null once the machine has ended or the guest does not know the container.</summary>
    private async Task<T?> RetryAsync<T>(Container container, Func<GuestClient, Task<T>> call, CancellationToken cancellationToken)
        where T : class
    {
        while (container.Sandbox.Machine is { } machine)
        {
            MachineSnapshot snapshot = machine.Current;
            if (snapshot.State is MachineState.Stopped or MachineState.Removed)
            {
                return null;
            }

            try
            {
                return await call(machine.Guest);
            }
            catch (GuestException cause) when (cause.ConnectionLost)
            {
                // Told apart below: the machine ends, or the channel comes back.
            }
            catch (MachineException)
            {
                // Between two states; the next snapshot tells.
            }
            catch (GuestException cause) when (cause.Fault == GuestFault.NotFound)
            {
                return null;
            }

            Task change = machine.WaitForChangeAsync(snapshot.Generation, cancellationToken);
            await Task.WhenAny(change, Task.Delay(ReconnectDelay, time, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
        }

        return null;
    }

    [LoggerMessage(3130, LogLevel.Information, "Container {ContainerId} ended with code {ExitCode} ({Reason})")]
    private partial void ContainerEnded(string containerId, int exitCode, string reason);

    [LoggerMessage(3131, LogLevel.Error, "Container {ContainerId} is no longer followed; restart the daemon to follow it again")]
    private partial void FollowingFailed(string containerId, Exception cause);

    [LoggerMessage(3132, LogLevel.Error, "Container {ContainerId} ended, and that could not be kept; trying again")]
    private partial void EndNotKept(string containerId, Exception cause);

    [LoggerMessage(3133, LogLevel.Warning, "Container {ContainerId} is let go before the last of its output was stored")]
    private partial void LeftIncomplete(string containerId);

    [LoggerMessage(3134, LogLevel.Warning, "Container {ContainerId}: the log holds {OutputHad} and {ErrorHad} bytes of its streams, the guest keeps only those from {OutputKept} and {ErrorKept} on")]
    private partial void OutputForgotten(string containerId, long outputHad, long errorHad, long outputKept, long errorKept);
}
