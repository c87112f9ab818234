using System.Runtime.InteropServices;

namespace Vks.Runtime.Host;

/// <summary>A program to start and the walls around it.</summary>
internal sealed record ChildSettings
{
    /// <summary>Absolute path of the program.</summary>
    internal required string Program { get; init; }

    /// <summary>Arguments after argv[0].</summary>
    internal required IReadOnlyList<string> Arguments { get; init; }

    /// <summary>The whole environment, as NAME=value pairs. Default: PATH only.</summary>
    internal IReadOnlyDictionary<string, string> Environment { get; init; } =
        new Dictionary<string, string> { ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin" };

    /// <summary>Descriptors the child finds at these numbers (3 to 63); everything else is closed. The caller keeps its own.</summary>
    internal IReadOnlyList<(int Number, SafeHandle Handle)> Descriptors { get; init; } = [];

    /// <summary>Network namespace to run in, e.g. <c>/run/netns/x</c>; null for the daemon's.</summary>
    internal string? NetnsPath { get; init; }

    /// <summary>Gives the child its own mount namespace, which follows the host's mounts but passes none back.</summary>
    internal bool OwnMountNamespace { get; init; }

    /// <summary>The file system that the child sees instead of the host's; null: the host's. Needs <see cref="OwnMountNamespace"/>.</summary>
    internal ChildRoot? Root { get; init; }

    /// <summary>User to run as; null for the daemon's user. All capabilities go with it but its own.</summary>
    internal ChildUser? User { get; init; }

    /// <summary>A file that it is handed for reading only when it opens it for writing, or null.</summary>
    internal ReadOnlyStandIn? StandIn { get; init; }

    /// <summary>
    /// It gets no huge pages, even where it asks for them. The kernel keeps that by address space, which a child has from the daemon until it is
    /// executed: the daemon gets none either from then on.
    /// </summary>
    internal bool SmallPages { get; init; }

    /// <summary>Group that the child is put into right after its start, or null.</summary>
    internal Cgroup? Cgroup { get; init; }
}

/// <summary>The identity of a child.</summary>
/// <param name="UserId">Real, effective and saved user id.</param>
/// <param name="GroupId">Real, effective and saved group id.</param>
/// <param name="SupplementaryGroups">Further groups, e.g. that of <c>/dev/kvm</c>; all others are dropped.</param>
/// <param name="Capabilities">Numbers of capabilities(7) that it has in spite of its user.</param>
internal sealed record ChildUser(uint UserId, uint GroupId, IReadOnlyList<uint> SupplementaryGroups, IReadOnlyList<int> Capabilities);

/// <summary>A file system of few things: programs and libraries read-only, harmless devices, /proc of itself, and the folders named here.</summary>
/// <param name="Devices">Device nodes beside the harmless ones; those that the host does not have are left out.</param>
/// <param name="Folders">Host folder and where the child finds it, <c>/share</c>; it follows what the host mounts below.</param>
internal sealed record ChildRoot(IReadOnlyList<string> Devices, IReadOnlyList<(string Source, string Target)> Folders);
