namespace Vks.Spherelet.Node;

/// <summary>What was read from the host; all that <see cref="NodeChecks"/> decides from.</summary>
internal sealed record NodeFacts
{
    /// <summary>The process is root's.</summary>
    public required bool IsRoot { get; init; }

    /// <summary>Guests run on KVM; null when the probe could not be made.</summary>
    public required bool? IsKvm { get; init; }

    /// <summary>The probe's reason, or why it could not be made.</summary>
    public required string AcceleratorReason { get; init; }

    /// <summary>The QEMU program that was asked for.</summary>
    public required string QemuProgram { get; init; }

    /// <summary>First line of <c>--version</c>, or null when it cannot be run.</summary>
    public required string? QemuVersion { get; init; }

    /// <summary><c>-M help</c> names microvm.</summary>
    public required bool QemuHasMicrovm { get; init; }

    /// <summary>Where the guest files were looked for.</summary>
    public required string GuestDirectory { get; init; }

    /// <summary>The guest files that a pod needs.</summary>
    public required IReadOnlyList<GuestFileFact> GuestFiles { get; init; }

    /// <summary>What the network says of itself, or null when it is ready.</summary>
    public required string? NetworkProblem { get; init; }

    /// <summary>The configuration in use: a path of the host, or our own.</summary>
    public required string NetworkSource { get; init; }

    /// <summary>net.ipv4.ip_forward is 1.</summary>
    public required bool ForwardsIpv4 { get; init; }

    /// <summary>The firewall's FORWARD policy, e.g. <c>ACCEPT</c>, or null when it cannot be read.</summary>
    public required string? ForwardPolicy { get; init; }

    /// <summary>The root directory.</summary>
    public required string RootDirectory { get; init; }

    /// <summary>Free MiB on its file system, or null when it cannot be read.</summary>
    public required long? FreeMiB { get; init; }

    /// <summary>2 for unified, 1 for legacy or hybrid, 0 for none.</summary>
    public required int CgroupVersion { get; init; }

    /// <summary>Controllers of <c>cpu</c>, <c>memory</c>, <c>pids</c> whose tree can be written to.</summary>
    public required IReadOnlyList<string> CgroupControllers { get; init; }

    /// <summary>The daemon's socket.</summary>
    public required string SocketPath { get; init; }

    /// <summary>Something accepts on it.</summary>
    public required bool SocketAnswers { get; init; }

    /// <summary>Host programs that are not on the PATH.</summary>
    public required IReadOnlyList<HostProgram> MissingPrograms { get; init; }

    /// <summary>/dev/net/tun can be opened.</summary>
    public required bool HasTun { get; init; }

    /// <summary>First of 65536 user ids for QEMU processes.</summary>
    public required long FirstUserId { get; init; }

    /// <summary>Who else has some of those ids: lines of /etc/passwd or /etc/subuid.</summary>
    public required IReadOnlyList<string> UserIdClashes { get; init; }
}

/// <summary>One guest file.</summary>
/// <param name="Name">File name in the guest directory.</param>
/// <param name="Exists">It is there and can be read.</param>
/// <param name="ExpectedSha256">Hex from artifacts.json, or null when it names none.</param>
/// <param name="ActualSha256">Hex of the file, or null when it is missing.</param>
internal sealed record GuestFileFact(string Name, bool Exists, string? ExpectedSha256, string? ActualSha256);

/// <summary>A host program that the node calls.</summary>
/// <param name="Name">On the PATH.</param>
/// <param name="Package">Debian package that has it.</param>
/// <param name="Purpose">What it is for.</param>
internal sealed record HostProgram(string Name, string Package, string Purpose);
