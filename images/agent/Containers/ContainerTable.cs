using Vks.Agent.Boot;
using Vks.Agent.Channel;
using Vks.Agent.Host;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Containers;

/// <summary>All containers of the guest, in order of creation.</summary>
internal sealed class ContainerTable(BundleSources sources, Crun crun, Reaper reaper, PodPidNamespace podPids)
{
    private readonly Lock _lock = new();
    private readonly List<Container> _containers = [];
    private readonly HashSet<string> _reserved = new(StringComparer.Ordinal);
    private readonly Lock _limitLock = new();
    private ResourceLimits _limits = new();
    private bool _cgroupReady;

    /// <summary>Where events go; set once the channel exists.</summary>
    internal Action<GuestEvent> Publish { get; set; } = static _ => { };

    /// <summary>A snapshot.</summary>
    internal Container[] All
    {
        get
        {
            lock (_lock)
            {
                return [.. _containers];
            }
        }
    }

    /// <summary>Builds a container, all or nothing.</summary>
    internal async Task<ContainerMade> CreateAsync(ContainerSpec spec, CancellationToken cancellationToken)
    {
        Check(spec);
        lock (_lock)
        {
            if (_containers.Exists(container => container.Id == spec.ContainerId) || !_reserved.Add(spec.ContainerId))
            {
                throw new AgentException(GuestFault.AlreadyExists, $"Container {spec.ContainerId} exists.");
            }
        }

        try
        {
            PrepareCgroup();
            Bundle bundle = await Bundle.CreateAsync(spec, sources, cancellationToken);
            lock (_lock)
            {
                _containers.Add(new Container(spec, bundle, crun, reaper, e => Publish(e)));
            }

            return new ContainerMade(bundle.User.Uid, bundle.User.Gid, bundle.User.Groups);
        }
        finally
        {
            lock (_lock)
            {
                _reserved.Remove(spec.ContainerId);
            }
        }
    }

    /// <summary>Limits all containers together. All or none.</summary>
    internal void Limit(ResourceLimits limits)
    {
        PrepareCgroup();
        lock (_limitLock)
        {
            CgroupChange.Apply(
                ContainerCgroup.Parent, CgroupLimits.Files(_limits, GuestHardware.This), CgroupLimits.Files(limits, GuestHardware.This));
            _limits = limits;
        }
    }

    /// <summary>Starts a container.</summary>
    internal async Task<ContainerStarted> StartAsync(string id)
    {
        Container container = Get(id);
        string? pidNamespace = container.Spec.PidNamespace switch
        {
            PidNamespace.Pod => (await sources.UserNamespace.HolderAsync())?.PidPath ?? await podPids.PathAsync(),
            PidNamespace.Target => $"/proc/{RunningTarget(container.Spec.PidTarget).Report.Pid}/ns/pid",
            _ => null,
        };
        return await container.StartAsync(pidNamespace);
    }

    /// <summary>Makes what a pod's first container makes otherwise: nothing of it is the pod's own, so a template can have it.</summary>
    internal async Task PrepareAsync()
    {
        PrepareCgroup();
        _ = await podPids.PathAsync();
    }

    /// <summary>Makes the cgroup that all containers lie in, once.</summary>
    /// <remarks>Put off until the first container: turning controllers on takes the kernel some milliseconds, and boot need not wait.</remarks>
    private void PrepareCgroup()
    {
        lock (_lock)
        {
            if (!_cgroupReady)
            {
                RootFileSystem.EnableControllers(RootFileSystem.CgroupRoot);
                Directory.CreateDirectory(ContainerCgroup.Parent);
                RootFileSystem.EnableControllers(ContainerCgroup.Parent);
                _cgroupReady = true;
            }
        }
    }

    /// <summary>Removes a container; an unknown one is fine.</summary>
    internal async Task DeleteAsync(string id)
    {
        Container? container;
        lock (_lock)
        {
            container = _containers.Find(one => one.Id == id);
        }

        if (container is null)
        {
            return;
        }

        await container.DeleteAsync();
        lock (_lock)
        {
            _containers.Remove(container);
        }
    }

    /// <summary>The container of that id.</summary>
    /// <exception cref="AgentException">NotFound.</exception>
    internal Container Get(string id)
    {
        lock (_lock)
        {
            return _containers.Find(one => one.Id == id)
                ?? throw new AgentException(GuestFault.NotFound, $"The guest has no container '{id}'.");
        }
    }

    /// <summary>TERM to all, KILL after the grace.</summary>
    internal async Task StopAllAsync(TimeSpan grace, TimeProvider time)
    {
        Container[] running = [.. All.Where(container => container.Report.State == GuestContainerState.Running)];
        if (running.Length == 0)
        {
            return;
        }

        foreach (Container container in running)
        {
            container.Signal(Constants.SigTerm, all: false);
        }

        try
        {
            await Task.WhenAll(running.Select(container => container.Exited)).WaitAsync(grace, time);
        }
        catch (TimeoutException)
        {
            foreach (Container container in running)
            {
                container.Signal(Constants.SigKill, all: true);
            }

            await Task.WhenAll(running.Select(container => container.Exited)).WaitAsync(grace, time);
        }
    }

    /// <summary>Refuses what no container can be made from.</summary>
    internal static void Check(ContainerSpec spec)
    {
        if (spec.ContainerId.Length != 64 || !spec.ContainerId.All(char.IsAsciiHexDigitLower))
        {
            throw new AgentException(GuestFault.InvalidRequest, $"'{spec.ContainerId}' is no container id: 64 lower-case hex digits are expected.");
        }

        if (spec.Process.Args.Count == 0 || spec.Process.Args[0].Length == 0)
        {
            throw new AgentException(GuestFault.InvalidRequest, $"Container {spec.ContainerId} names no program to run.");
        }

        foreach (MountSpec mount in spec.Mounts)
        {
            if (!Path.IsPathRooted(mount.Destination))
            {
                throw new AgentException(GuestFault.InvalidRequest, $"The mount destination '{mount.Destination}' is not absolute.");
            }
        }
    }

    private Container RunningTarget(string? id)
    {
        Container target = Get(id ?? "");
        target.Require(GuestContainerState.Running, "the target of a PID namespace");
        return target;
    }
}
