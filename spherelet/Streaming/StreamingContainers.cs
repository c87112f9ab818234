using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Streaming;

/// <summary>Finds the container of a request.</summary>
internal static class StreamingContainers
{
    /// <summary>The container, which has to run.</summary>
    /// <exception cref="PodException"><see cref="PodFault.NotFound"/>, <see cref="PodFault.WrongState"/>.</exception>
    public static Container FindRunning(this PodTable table, string id, string verb)
    {
        Container container = table.FindContainer(id);
        return container.Record.Phase == ContainerPhase.Running
            ? container
            : throw new PodException(
                PodFault.WrongState, container.Id, $"Container {container.Id} is {container.Record.Phase}; {verb} needs a running one.");
    }
}
