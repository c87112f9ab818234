using Vks.Supervisor.ControlPlane;

namespace Vks.Supervisor.Hosts;

/// <summary>A host as members are brought to it, run on it and taken from it.</summary>
internal interface IMemberHost
{
    /// <summary>Whether several members may be on it at once: each in a machine of its own. As process groups they would want the same ports.</summary>
    bool TakesSeveral => false;

    /// <summary>Asks it for its facts.</summary>
    /// <param name="question">What about.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Host"/>: it cannot be reached.</exception>
    Task<AskedHost> AskAsync(HostQuestion question, CancellationToken cancellationToken);

    /// <summary>Writes a file there, whole or not at all; its folder is made.</summary>
    /// <param name="path">Where.</param>
    /// <param name="bytes">What.</param>
    /// <param name="cancellationToken">Ends it.</param>
    Task PutAsync(string path, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken);

    /// <summary>Writes several files there, one after the other in their order, each as <see cref="PutAsync(string, ReadOnlyMemory{byte}, CancellationToken)"/> does.</summary>
    /// <param name="files">Where and what.</param>
    /// <param name="cancellationToken">Ends it; what was written stays.</param>
    async Task PutAllAsync(IReadOnlyList<(string Path, ReadOnlyMemory<byte> Bytes)> files, CancellationToken cancellationToken)
    {
        foreach ((string path, ReadOnlyMemory<byte> bytes) in files)
        {
            await PutAsync(path, bytes, cancellationToken);
        }
    }

    /// <summary>Starts a member; one that runs is no error. It goes on when nobody of ours is there any more.</summary>
    /// <param name="settingsFile">Its settings on the host.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    Task StartAsync(string settingsFile, CancellationToken cancellationToken);

    /// <summary>Stops a member in order; one that does not run is no error.</summary>
    /// <param name="settingsFile">Its settings on the host.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    Task StopAsync(string settingsFile, CancellationToken cancellationToken);

    /// <summary>Removes all that was brought for a member and all that it made; it does not run. One that is not there is no error.</summary>
    /// <param name="settingsFile">Its settings on the host.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Host"/>: it runs, or this kind of host cannot do it.</exception>
    Task RemoveAsync(string settingsFile, CancellationToken cancellationToken) =>
        throw new SupervisorException(SupervisorFault.Host, $"{settingsFile}: this kind of host cannot remove a member. Do: remove its files by hand");

    /// <summary>How a member is; null when it does not run.</summary>
    /// <param name="settingsFile">Its settings on the host.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    Task<MemberState?> StateAsync(string settingsFile, CancellationToken cancellationToken);
}
