namespace Vks.Spherelet.Machines;

/// <summary>Settings of machines that are kept running.</summary>
internal sealed record KeptMachineOptions
{
    /// <summary>Keeps them in <c>kept/</c>.</summary>
    public required string RootDirectory { get; init; }

    /// <summary>The disk they run from: <c>control-plane.sqfs</c> as images/controlplane builds it.</summary>
    public required string Image { get; init; }

    /// <summary>Where the persistent disk shows in the machine.</summary>
    public const string DataDirectory = "/var/lib/vks-member";

    /// <summary>First program of the machine; gets the settings file's path.</summary>
    public const string Program = "/usr/sbin/vks-member";

    /// <summary>Made by that program when it has the files.</summary>
    public const string FilesTaken = "/run/vks-member-files";

    /// <summary>Where that program looks for the persistent disk.</summary>
    public const string DataDevice = "/dev/vks-member-data";

    /// <summary>Under software emulation, room for translated code in MiB: etcd, Kubernetes' servers and .NET fill more than 340, and took minutes to do it again and again.</summary>
    public const int TranslationMiB = 1024;

    /// <summary>Size of the disk that takes what the machine writes beside its persistent disk, in MiB; it goes with the machine.</summary>
    public const int ScratchMiB = 1024;
}
