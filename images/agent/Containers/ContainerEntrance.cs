using System.Text.Json;

namespace Vks.Agent.Containers;

/// <summary>How a further process gets into a container.</summary>
/// <param name="BySmallProgram">By <see cref="Entry"/>; else only crun knows how.</param>
/// <param name="FilterFile">Where crun keeps the container's seccomp filter as instructions; empty when it has none.</param>
internal sealed record ContainerEntrance(bool BySmallProgram, string FilterFile)
{
    /// <summary>Reads it off what crun is told. Pure.</summary>
    /// <remarks>Left to crun: user namespaces, whose ids come in steps, and filters with flags or a listener of their own.</remarks>
    internal static ContainerEntrance Of(OciConfig config, string containerId) => new(
        BySmallProgram: config.Linux.UidMappings is null && !HasOptions(config.Linux.Seccomp),
        config.Linux.Seccomp is null ? "" : $"{Crun.StateRoot}/{containerId}/seccomp.bpf");

    private static bool HasOptions(JsonElement? seccomp) =>
        seccomp is { ValueKind: JsonValueKind.Object } profile
        && (profile.TryGetProperty("flags", out _) || profile.TryGetProperty("listenerPath", out _));
}
