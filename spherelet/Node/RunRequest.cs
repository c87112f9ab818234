namespace Vks.Spherelet.Node;

/// <summary>What <c>spherelet run</c> was asked for.</summary>
internal sealed record RunRequest
{
    /// <summary>Image reference.</summary>
    public required string Image { get; init; }

    /// <summary>Program and arguments instead of the image's own; empty for those.</summary>
    public IReadOnlyList<string> Command { get; init; } = [];

    /// <summary>Virtual CPUs, 1 to 64.</summary>
    public int VcpuCount { get; init; } = 1;

    /// <summary>Guest memory in MiB, 96 to 1048576.</summary>
    public int MemoryMiB { get; init; } = 512;

    /// <summary><c>NAME=value</c> entries.</summary>
    public IReadOnlyList<string> Environment { get; init; } = [];

    /// <summary>The registry is asked; else the image has to be in the store.</summary>
    public bool Pull { get; init; } = true;

    /// <summary>Lines of the guest's console are shown.</summary>
    public bool ShowConsole { get; init; } = true;
}
