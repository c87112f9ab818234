using System.Runtime.InteropServices;
using Vks.Runtime.Host;

namespace Vks.Runtime.Qemu;

/// <summary>One start of QEMU: what it is to be, what it is handed, the walls around it.</summary>
internal sealed record QemuLaunch
{
    /// <summary>Decides the argument list.</summary>
    internal required QemuSettings Settings { get; init; }

    /// <summary>The program: an absolute path, or a name on PATH.</summary>
    internal string Program { get; init; } = "qemu-system-x86_64";

    /// <summary>Listening socket (<see cref="UnixSocket.Listen"/>) for QMP.</summary>
    internal required SafeHandle Monitor { get; init; }

    /// <summary>Listening socket for the agent's port.</summary>
    internal required SafeHandle Agent { get; init; }

    /// <summary>Listening socket for the console.</summary>
    internal required SafeHandle Console { get; init; }

    /// <summary>The scratch disk, open for reading and writing; required when the settings have one.</summary>
    internal SafeHandle? Scratch { get; init; }

    /// <summary>The tap (<see cref="Host.Tap.OpenAsync"/>); required when the settings have a network.</summary>
    internal SafeHandle? Tap { get; init; }

    /// <summary>The vhost-vsock device (<see cref="Vsock.OpenVhost"/>); required when the settings have a vsock context id.</summary>
    internal SafeHandle? Vhost { get; init; }

    /// <summary>
    /// The file of the guest's memory; required unless that is <see cref="QemuMemory.Fresh"/>. A guest that is to be saved writes it, a restored
    /// one reads it.
    /// </summary>
    internal SafeHandle? Memory { get; init; }

    /// <summary>Network namespace QEMU runs in, or null for the daemon's.</summary>
    internal string? NetnsPath { get; init; }

    /// <summary>User and group id QEMU runs as, both the same number; null for the daemon's user. The group of <c>/dev/kvm</c> is added for KVM.</summary>
    internal uint? UserId { get; init; }

    /// <summary>Its control group, made by the caller, or null.</summary>
    internal Cgroup? Cgroup { get; init; }
}
