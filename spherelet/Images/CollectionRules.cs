namespace Vks.Spherelet.Images;

/// <summary>When images are removed by themselves.</summary>
internal sealed record CollectionRules
{
    /// <summary>Use of the images' file system, in percent, from which images are removed; 0 for never. Default 0: a kubelet does it for its node.</summary>
    public int HighPercent { get; init; }

    /// <summary>Use in percent at which removing ends. Default 80.</summary>
    public int LowPercent { get; init; } = 80;

    /// <summary>An image that came or was used more recently is never removed. Default 2 minutes.</summary>
    public TimeSpan MinAge { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>An image unused for longer is removed whatever the file system holds; zero for never. Default zero.</summary>
    public TimeSpan MaxIdle { get; init; } = TimeSpan.Zero;

    /// <summary>Time between two looks. Default 5 minutes.</summary>
    public TimeSpan Period { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>There is something to do.</summary>
    public bool Enabled => HighPercent > 0 || MaxIdle > TimeSpan.Zero;
}
