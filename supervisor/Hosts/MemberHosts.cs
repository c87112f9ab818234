using Vks.Supervisor.ControlPlane;

namespace Vks.Supervisor.Hosts;

/// <summary>The hosts of a control plane, each reached in its own way: by a command, or by its Spherelet.</summary>
/// <param name="settings">The control plane.</param>
/// <param name="pki">Folder with the control plane's authorities, here.</param>
/// <param name="time">The clock.</param>
internal sealed class MemberHosts(ControlPlaneSettings settings, string pki, TimeProvider time) : IDisposable
{
    private readonly Dictionary<HostSettings, IMemberHost> _hosts = [];
    private SphereletPki? _machines;

    /// <summary>A host, as members are brought to it.</summary>
    /// <param name="host">Its settings.</param>
    public IMemberHost Reach(HostSettings host)
    {
        if (!_hosts.TryGetValue(host, out IMemberHost? reached))
        {
            reached = _hosts[host] = host.HasMachines ? new SphereletMemberHost(host, settings, Machines(), time) : new CommandMemberHost(host, settings.Supervisor, time);
        }

        return reached;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (IDisposable host in _hosts.Values.OfType<IDisposable>())
        {
            host.Dispose();
        }
    }

    private SphereletPki Machines()
    {
        if (_machines is null)
        {
            _machines = new SphereletPki(pki, time);
            _machines.Ensure(settings.Name);
        }

        return _machines;
    }
}
