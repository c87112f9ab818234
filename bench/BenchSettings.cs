namespace Vks.Bench;

/// <summary>One run, as asked for.</summary>
internal sealed record BenchSettings
{
    /// <summary>How much.</summary>
    public required BenchPlan Plan { get; init; }

    /// <summary>Names of the parts to run; none for all.</summary>
    public required IReadOnlyList<string> Sections { get; init; }

    /// <summary>Names of the container runtimes; none for all.</summary>
    public required IReadOnlyList<string> Arms { get; init; }

    /// <summary>Folder for the results.</summary>
    public required string OutputDirectory { get; init; }

    /// <summary>The daemon's program.</summary>
    public required string Spherelet { get; init; }

    /// <summary>Kernel and initial file system of guests.</summary>
    public required string GuestDirectory { get; init; }

    /// <summary>OCI layout of the demo image.</summary>
    public required string DemoLayout { get; init; }

    /// <summary>Folder with another build, <c>spherelet</c> and <c>guest</c>, to be measured in the same run; or null.</summary>
    public string? Before { get; init; }

    /// <summary>Debian's kernel, or null.</summary>
    public string? StockKernel { get; init; }

    /// <summary>The lab's script, or null.</summary>
    public string? LabScript { get; init; }

    /// <summary><c>kvm</c>, <c>tcg</c>, or null for what the daemon finds.</summary>
    public string? Accelerator { get; init; }
}
