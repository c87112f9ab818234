namespace Vks.Bench.Results;

/// <summary>Names that sections write and gates read.</summary>
internal static class Measures
{
    /// <summary>Section of bare boots of QEMU.</summary>
    public const string Boot = "boot";

    /// <summary>Section of pods one after another.</summary>
    public const string Serial = "serial";

    /// <summary>Section of pods at once.</summary>
    public const string Burst = "burst";

    /// <summary>Section of idle pods.</summary>
    public const string Idle = "idle";

    /// <summary>Section of images.</summary>
    public const string Image = "image";

    /// <summary>Section of file systems.</summary>
    public const string Storage = "storage";

    /// <summary>Section of boots on a busy host.</summary>
    public const string Load = "load";

    /// <summary>Section of cycles.</summary>
    public const string Leak = "leak";

    /// <summary>Section of pods through a kubelet.</summary>
    public const string Node = "node";

    /// <summary>Creation in the API server until the kubelet says Ready.</summary>
    public const string ToReady = "create to Ready";

    /// <summary>Exec of QEMU to the first line of PID 1.</summary>
    public const string ToInit = "exec to PID 1";

    /// <summary>Exec of QEMU to the agent's answer.</summary>
    public const string ToAgent = "exec to agent";

    /// <summary>The three calls that start a pod.</summary>
    public const string Sum = "run + create + start";

    /// <summary>First call to the first byte of output in the log file.</summary>
    public const string FirstByte = "pod to first output byte";

    /// <summary>ExecSync of <c>true</c>, the first in a pod.</summary>
    public const string Exec = "ExecSync true";

    /// <summary>The same in a pod that has run one: what probes meet.</summary>
    public const string ExecAgain = "ExecSync true, again";

    /// <summary>How long a pool takes to stand as it stood before a pod took a machine, from the pod's removal on.</summary>
    public const string Refill = "pool full again";

    /// <summary>Start of the n-th pod while the ones before it stay.</summary>
    public const string StartBeside = "start beside running pods";

    /// <summary>Memory of the pod's own processes.</summary>
    public const string OwnMemory = "memory of the pod's process";

    /// <summary>Boots that came to their agent, 1 or 0 each.</summary>
    public const string Succeeded = "boot succeeded";

    /// <summary>Things left after the cycles.</summary>
    public const string Left = "left behind";

    /// <summary>Daemon and helpers at that many pods.</summary>
    public static string DaemonMemory(int pods) => FormattableString.Invariant($"daemon RSS, {pods} pods");

    /// <summary>Available memory that a pod costs, at that many.</summary>
    public static string AvailablePerPod(int pods) => FormattableString.Invariant($"MemAvailable per pod, {pods} pods");

    /// <summary>Proportional memory of what runs for a pod, at that many.</summary>
    public static string ProportionalPerPod(int pods) => FormattableString.Invariant($"PSS per pod, {pods} pods");
}

/// <summary>Names of the arms.</summary>
internal static class ArmNames
{
    /// <summary>Pods of this project whose machines boot.</summary>
    public const string Cold = "cold";

    /// <summary>Pods of this project whose machines are clones of a template.</summary>
    public const string Clone = "clone";

    /// <summary>As <see cref="Clone"/>, and machines are started before their pods come.</summary>
    public const string Pool = "pool";

    /// <summary>Another build of this project, with clones.</summary>
    public const string Before = "before";

    /// <summary>The peer.</summary>
    public const string Containerd = "containerd";

    /// <summary>The machine itself, without any container.</summary>
    public const string Host = "host";

    /// <summary>Debian's kernel on QEMU's default machine.</summary>
    public const string StockPc = "stock pc";

    /// <summary>Debian's kernel on q35.</summary>
    public const string StockQ35 = "stock q35";

    /// <summary>Debian's kernel on microvm.</summary>
    public const string StockMicrovm = "stock microvm";

    /// <summary>Our kernel with nothing but the marker.</summary>
    public const string OursTiny = "ours, init alone";

    /// <summary>Our kernel with a pod's whole initial file system.</summary>
    public const string Ours = "ours";
}
