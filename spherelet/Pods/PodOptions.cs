namespace Vks.Spherelet.Pods;

/// <summary>Settings of pods.</summary>
internal sealed record PodOptions
{
    /// <summary>Keeps pods and containers in <c>pods/</c>. Default <c>/var/lib/vks</c>.</summary>
    public string RootDirectory { get; init; } = "/var/lib/vks";

    /// <summary>vCPUs of a pod without a CPU limit, 1 to 64. Default 1.</summary>
    public int DefaultVcpuCount { get; init; } = 1;

    /// <summary>Memory of a pod without a memory limit in MiB, 96 to 1048576. Default 512.</summary>
    public int DefaultMemoryMiB { get; init; } = 512;

    /// <summary>Size of a pod's writable scratch disk in MiB, a sparse file; 0 for writable layers in guest memory. Default 10240.</summary>
    public int ScratchMiB { get; init; } = 10240;

    /// <summary>Most MiB of the disk of one emptyDir, a sparse file; 0 shares emptyDirs from the host. Default 262144.</summary>
    public int EmptyDirMiB { get; init; } = 262_144;

    /// <summary>How long a machine of the pool may take to become its pod; then a fresh one is started. Default 10 s.</summary>
    public TimeSpan PooledPatience { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long the guest may take to power off before QEMU is killed. Default 3 s.</summary>
    public TimeSpan PowerOffGrace { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>How long a container may take to end after SIGKILL until the stop is given up. Default 10 s.</summary>
    public TimeSpan KillTimeout { get; init; } = TimeSpan.FromSeconds(10);
}
