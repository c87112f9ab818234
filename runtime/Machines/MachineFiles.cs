namespace Vks.Runtime.Machines;

/// <summary>Where one machine keeps what on the host. Pure path arithmetic.</summary>
internal sealed class MachineFiles(CrxEngineOptions options, MachineId id)
{
    /// <summary>Environment variable of each QEMU: its state directory. By it a restarted daemon finds every QEMU of its own.</summary>
    internal const string OwnerVariable = "VKS_MACHINE";

    /// <summary><c>machines/ID</c> below the root directory.</summary>
    internal string StateDirectory { get; } = Path.Combine(StateRoot(options), id.Value);

    /// <summary><c>machines/ID</c> below the runtime directory, for sockets.</summary>
    internal string RuntimeDirectory { get; } = Path.Combine(RuntimeRoot(options), id.Value);

    internal string Record => Path.Combine(StateDirectory, "machine.json");

    internal string Scratch => Path.Combine(StateDirectory, "scratch.img");

    internal string QmpSocket => Path.Combine(RuntimeDirectory, "qmp.sock");

    internal string AgentSocket => Path.Combine(RuntimeDirectory, "agent.sock");

    internal string ConsoleSocket => Path.Combine(RuntimeDirectory, "console.sock");

    /// <summary>The cgroup of QEMU, below the host's vks group.</summary>
    internal string CgroupName => id.Prefix;

    internal static string StateRoot(CrxEngineOptions options) => Path.Combine(Path.GetFullPath(options.RootDirectory), "machines");

    internal static string RuntimeRoot(CrxEngineOptions options) => Path.Combine(Path.GetFullPath(options.RuntimeDirectory), "machines");
}
