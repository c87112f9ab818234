using System.Text.Json;
using Vks.Agent.Boot;
using Vks.Agent.Channel;
using Vks.Agent.Host;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Containers;

/// <summary>One container from its bundle to its removal.</summary>
/// <remarks>Created → Running → Exited, see <see cref="GuestContainerState"/>; starting, updating and deleting exclude each other.</remarks>
internal sealed class Container(ContainerSpec spec, Bundle bundle, Crun crun, Reaper reaper, Action<GuestEvent> publish) : IDisposable
{
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _deleted = new();
    private readonly CancellationTokenSource _ended = new();
    private readonly TaskCompletionSource _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ContainerReport _report = new(spec.ContainerId, GuestContainerState.Created, 0, 0, 0, 0, false);
    private ContainerSpec _spec = spec;
    private ContainerStdio? _stdio;
    private string? _pidNamespacePath;
    private bool _startTried;

    /// <summary>64 hex digits.</summary>
    internal string Id => _spec.ContainerId;

    /// <summary>What it was made from, limits as last updated.</summary>
    internal ContainerSpec Spec => Volatile.Read(ref _spec);

    /// <summary>Its directory, overlay and disks.</summary>
    internal Bundle Bundle => bundle;

    /// <summary>Its cgroup.</summary>
    internal ContainerCgroup Cgroup { get; } = new(spec.ContainerId);

    /// <summary>What further processes need to enter it; set when it is started.</summary>
    internal ContainerEntrance Entrance { get; private set; } = new(BySmallProgram: false, "");

    /// <summary>Standard output, or the terminal's.</summary>
    internal OutputStream Output { get; } = new(GuestStream.Output);

    /// <summary>Standard error.</summary>
    internal OutputStream Error { get; } = new(GuestStream.Error);

    /// <summary>Completes when the first process has ended or the container is deleted.</summary>
    internal Task Exited => _exited.Task;

    /// <summary>Fires when the container is deleted.</summary>
    internal CancellationToken Deleted => _deleted.Token;

    /// <summary>The container now.</summary>
    internal ContainerReport Report
    {
        get
        {
            lock (_lock)
            {
                return _report with { OutputStart = Output.Ring.Start, ErrorStart = Error.Ring.Start };
            }
        }
    }

    /// <summary>Has crun start the program.</summary>
    internal async Task<ContainerStarted> StartAsync(string? pidNamespacePath)
    {
        await _gate.WaitAsync(_deleted.Token);
        try
        {
            Require(GuestContainerState.Created, "started");
            _pidNamespacePath = pidNamespacePath;
            Entrance = ContainerEntrance.Of(bundle.WriteConfig(Spec, pidNamespacePath, Cgroup.PathBelowRoot), Id);
            var stdio = new ContainerStdio(Spec.Process.Terminal, Spec.Stdin || Spec.Process.Terminal, Path.Combine("/run/vks", Id[..12] + ".tty"));
            try
            {
                stdio.GiveTo(bundle.UserNamespace);
                return await StartAsync(stdio);
            }
            catch
            {
                stdio.Dispose();
                throw;
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>What crun is, or will be, told to run.</summary>
    internal ContainerDescription Describe() => new(JsonSerializer.SerializeToElement(
        bundle.Config(Spec, _pidNamespacePath, Cgroup.PathBelowRoot), OciJson.Default.OciConfig));

    /// <summary>Sends a signal to the first process, or to all; a container that does not run is fine.</summary>
    internal void Signal(int signal, bool all)
    {
        ContainerReport report = Report;
        if (report.State != GuestContainerState.Running)
        {
            return;
        }

        if (!all)
        {
            _ = reaper.Signal(report.Pid, signal);
        }
        else if (signal == Constants.SigKill)
        {
            Cgroup.Kill();
        }
        else
        {
            foreach (int pid in Cgroup.Processes())
            {
                _ = Libc.Kill(pid, signal);
            }
        }
    }

    /// <summary>Changes limits: of the cgroup and its processes while running, of the spec before. All or none.</summary>
    internal async Task UpdateAsync(UpdateRequest request)
    {
        await _gate.WaitAsync(_deleted.Token);
        try
        {
            ContainerReport report = Report;
            if (report.State == GuestContainerState.Exited)
            {
                throw WrongState(report.State, "updated");
            }

            IReadOnlyList<KeyValuePair<string, string>> before = CgroupLimits.Files(Spec.Resources, GuestHardware.This);
            IReadOnlyList<KeyValuePair<string, string>> after = CgroupLimits.Files(request.Resources, GuestHardware.This);
            if (report.State == GuestContainerState.Running)
            {
                CgroupChange.Apply(Cgroup.Folder, before, after);
                Cgroup.ChangeOutOfMemoryScore(Spec.Process.OomScoreAdjust, request.OomScoreAdjust);
            }
            else
            {
                CgroupChange.Try(Cgroup.Folder + ".try", before, after);
            }

            _spec = Spec with { Resources = request.Resources, Process = Spec.Process with { OomScoreAdjust = request.OomScoreAdjust } };
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Feeds standard input until the host ends it. Several may at once: what they send is mixed piece by piece.</summary>
    internal async Task FeedAsync(AgentCall call, CancellationToken cancellationToken)
    {
        ContainerStdio? stdio = _stdio;
        if (stdio?.Input is null)
        {
            throw new AgentException(GuestFault.WrongState, $"Container {Id} has no open standard input: it was made without one, is not started, or it was closed.");
        }

        var ended = false;
        try
        {
            ended = await stdio.CopyInputAsync(call.Input, cancellationToken);
        }
        finally
        {
            if (ended || Spec.StdinOnce)
            {
                stdio.CloseInput();
            }
        }
    }

    /// <summary>Sets the terminal's size.</summary>
    internal void Resize(int columns, int rows) => Descriptors.Resize(
        _stdio?.Terminal?.Number ?? throw new AgentException(GuestFault.WrongState, $"Container {Id} has no terminal."), columns, rows);

    /// <summary>Kills what runs, has crun forget it, unmounts. Safe to call twice.</summary>
    internal async Task DeleteAsync()
    {
        await _gate.WaitAsync();
        try
        {
            if (Report.State == GuestContainerState.Running)
            {
                Cgroup.Kill();
                _ = reaper.Signal(Report.Pid, Constants.SigKill);
                await Exited;
            }

            if (_startTried)
            {
                await crun.RunAsync(LogFile, ["delete", "--force", Id], $"Deleting container {Id}");
                _startTried = false;
            }

            await _deleted.CancelAsync();
            _exited.TrySetResult();
            Output.Ring.Complete();
            Error.Ring.Complete();
            _stdio?.Dispose();
            await bundle.RemoveAsync();
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _gate.Dispose();
        _deleted.Dispose();
        _ended.Dispose();
    }

    /// <summary>The fault of asking something that the present state does not allow.</summary>
    internal void Require(GuestContainerState state, string what)
    {
        GuestContainerState now = Report.State;
        if (now != state)
        {
            throw WrongState(now, what);
        }
    }

    private string LogFile => Path.Combine(bundle.Folder, "crun.log");

    private async Task<ContainerStarted> StartAsync(ContainerStdio stdio)
    {
        string pidFile = Path.Combine(bundle.Folder, "pid");
        long since = reaper.Now;
        _startTried = true;
        await crun.RunAsync(
            LogFile,
            ["run", "--detach", "--bundle", bundle.Folder, "--pid-file", pidFile, .. stdio.CrunArguments, Id],
            stdio.Theirs,
            $"Starting '{Spec.Process.Args[0]}' in container {Id}",
            CancellationToken.None);
        int pid = Crun.ReadPid(pidFile);
        stdio.Detach();
        _stdio = stdio;
        long started = Clock.UnixNanoseconds();
        lock (_lock)
        {
            _report = _report with { State = GuestContainerState.Running, Pid = pid, StartedUnixNanoseconds = started };
        }

        _ = Output.PumpAsync(stdio.Output!, _deleted.Token);
        if (stdio.Error is not null)
        {
            _ = Error.PumpAsync(stdio.Error, _deleted.Token);
        }
        else
        {
            Error.Ring.Complete();
        }

        if (OutOfMemoryWatch.Open(Cgroup) is { } announcements)
        {
            _ = OutOfMemoryWatch.RunAsync(announcements, () => Cgroup.OutOfMemory, ReportOutOfMemory, _ended.Token);
        }

        _ = WatchAsync(reaper.AdoptAsync(pid, since));
        return new ContainerStarted(pid, started);
    }

    private async Task WatchAsync(Task<ChildExit> exit)
    {
        ChildExit ended = await exit;
        await _ended.CancelAsync();
        if (Cgroup.OutOfMemory)
        {
            ReportOutOfMemory();
        }

        // With a PID namespace that is not its own, other processes outlive the first.
        Cgroup.Kill();
        lock (_lock)
        {
            _report = _report with
            {
                State = GuestContainerState.Exited,
                FinishedUnixNanoseconds = Clock.UnixNanoseconds(),
                ExitCode = ended.Code,
            };
        }

        _exited.TrySetResult();
        publish(new GuestEvent(GuestEventKind.ContainerExited, Id));
    }

    private void ReportOutOfMemory()
    {
        lock (_lock)
        {
            if (_report.OutOfMemory)
            {
                return;
            }

            _report = _report with { OutOfMemory = true };
        }

        publish(new GuestEvent(GuestEventKind.ContainerOutOfMemory, Id));
    }

    private AgentException WrongState(GuestContainerState now, string what) =>
        new(GuestFault.WrongState, $"Container {Id} is {now} and cannot be {what}.");
}
