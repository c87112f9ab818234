namespace Vks.Spherelet.Pods;

/// <summary>The ways to run a pod that a RuntimeClass can name.</summary>
internal static class RuntimeHandlers
{
    /// <summary>One microVM for each pod; what the empty name stands for.</summary>
    public const string Default = "crx";

    /// <summary>As <see cref="Default"/>, and the pod's machine shares no page of memory with any other.</summary>
    public const string Isolated = "crx-isolated";

    /// <summary>All names, the empty one included.</summary>
    public static IReadOnlyList<string> Names { get; } = [Default, Isolated, ""];
}
