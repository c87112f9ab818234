namespace Vks.Runtime.Machines;

/// <summary>Where one machine keeps what on the host. Pure path arithmetic.</summary>
internal sealed class MachineFiles(CrxEngineOptions options, MachineId id)
{
    /// <summary>The host's group that holds one group per machine.</summary>
    internal const string CgroupParent = "vks";

    /// <summary><c>machines/ID</c> below the root directory. It is also QEMU's <c>-name</c>, by which a restarted daemon finds every QEMU of its own.</summary>
    internal string StateDirectory { get; } = Path.Combine(StateRoot(options), id.Value);

    /// <summary><c>machines/ID</c> below the runtime directory, for sockets.</summary>
    internal string RuntimeDirectory { get; } = Path.Combine(RuntimeRoot(options), id.Value);

    internal string Record => Path.Combine(StateDirectory, "machine.json");

    internal string Scratch => Path.Combine(StateDirectory, "scratch.img");

    /// <summary>A template that is being made of this machine.</summary>
    internal string Template => Path.Combine(StateDirectory, "template");

    /// <summary>An empty folder to share with a guest that is to become a template.</summary>
    internal string EmptyShare => Path.Combine(StateDirectory, "share");

    internal string QmpSocket => Path.Combine(RuntimeDirectory, "qmp.sock");

    internal string AgentSocket => Path.Combine(RuntimeDirectory, "agent.sock");

    internal string ConsoleSocket => Path.Combine(RuntimeDirectory, "console.sock");

    /// <summary>The cgroup of QEMU, below <see cref="CgroupParent"/>: the whole id, since prefixes of chosen names may be equal.</summary>
    internal string CgroupName { get; } = id.Value;

    /// <summary><c>templates</c> below the root directory.</summary>
    internal static string TemplateRoot(CrxEngineOptions options) => Path.Combine(Path.GetFullPath(options.RootDirectory), "templates");

    internal static string StateRoot(CrxEngineOptions options) => Path.Combine(Path.GetFullPath(options.RootDirectory), "machines");

    internal static string RuntimeRoot(CrxEngineOptions options) => Path.Combine(Path.GetFullPath(options.RuntimeDirectory), "machines");
}
