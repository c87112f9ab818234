using Vks.Spherelet.Nri.Wire;

namespace Vks.Spherelet.Nri;

/// <summary>The names of NRI's services and methods on the wire.</summary>
internal static class NriMethods
{
    /// <summary>What plugins serve.</summary>
    public const string PluginService = "nri.pkg.api.v1alpha1.Plugin";

    /// <summary>What the runtime serves.</summary>
    public const string RuntimeService = "nri.pkg.api.v1alpha1.Runtime";

    /// <summary>The method of an event.</summary>
    public static string Of(Event happened) => happened switch
    {
        Event.RunPodSandbox => "RunPodSandbox",
        Event.UpdatePodSandbox => "UpdatePodSandbox",
        Event.PostUpdatePodSandbox => "PostUpdatePodSandbox",
        Event.StopPodSandbox => "StopPodSandbox",
        Event.RemovePodSandbox => "RemovePodSandbox",
        Event.CreateContainer => "CreateContainer",
        Event.PostCreateContainer => "PostCreateContainer",
        Event.StartContainer => "StartContainer",
        Event.PostStartContainer => "PostStartContainer",
        Event.UpdateContainer => "UpdateContainer",
        Event.PostUpdateContainer => "PostUpdateContainer",
        Event.StopContainer => "StopContainer",
        Event.RemoveContainer => "RemoveContainer",
        Event.ValidateContainerAdjustment => "ValidateContainerAdjustment",
        _ => throw new ArgumentOutOfRangeException(nameof(happened), happened, "no such event"),
    };

    /// <summary>Whether plugins made before the event had a method of its own are told by StateChange instead.</summary>
    public static bool WasStateChange(Event happened) => happened
        is Event.RunPodSandbox or Event.PostUpdatePodSandbox or Event.StopPodSandbox or Event.RemovePodSandbox or Event.PostCreateContainer
        or Event.StartContainer or Event.PostStartContainer or Event.PostUpdateContainer or Event.RemoveContainer;
}
