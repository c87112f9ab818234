namespace Vks.Spherelet.Network;

/// <summary>Why a pod's network could not be made or removed.</summary>
internal enum NetworkFault
{
    /// <summary>The host has no usable CNI configuration or a plugin is missing.</summary>
    NotConfigured = 1,

    /// <summary>A CNI plugin refused or failed; the message has its code and words.</summary>
    PluginFailed = 2,

    /// <summary>A namespace, tap or filter could not be made or removed.</summary>
    HostFailed = 3,

    /// <summary>A plugin did not answer in time.</summary>
    TimedOut = 4,
}

/// <summary>A pod's network could not be made or removed. The message says what was tried, what came back, and what to do.</summary>
internal sealed class NetworkException(NetworkFault fault, string podId, string message, Exception? cause = null)
    : Exception(message, cause)
{
    /// <summary>The kind of fault.</summary>
    public NetworkFault Fault { get; } = fault;

    /// <summary>The pod it is about, or empty for the host as a whole.</summary>
    public string PodId { get; } = podId;
}
