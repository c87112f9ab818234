namespace Vks.Bench;

/// <summary>How much is measured.</summary>
internal sealed record BenchPlan
{
    /// <summary>A smoke run: few samples, no gates on time.</summary>
    public bool IsQuick { get; init; }

    /// <summary>Whether sections or arms were left out by the caller.</summary>
    public bool IsPartial { get; init; }

    /// <summary>Boots of each kernel and machine.</summary>
    public int Boots { get; init; } = 30;

    /// <summary>Pods one after another, of each arm.</summary>
    public int SerialPods { get; init; } = 30;

    /// <summary>Pods of each node of a cluster before any is timed.</summary>
    public int WarmUpPods { get; init; } = 4;

    /// <summary>How many pods are started at once, each size <see cref="BurstRounds"/> times.</summary>
    public IReadOnlyList<int> BurstSizes { get; init; } = [1, 10, 50];

    /// <summary>Rounds of each size.</summary>
    public int BurstRounds { get; init; } = 3;

    /// <summary>Numbers of idle pods at which memory is looked at, rising.</summary>
    public IReadOnlyList<int> IdlePods { get; init; } = [1, 10, 20, 50];

    /// <summary>How long the idle pods are left alone before and while the daemon's processor time is read.</summary>
    public TimeSpan IdleTime { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Pulls of each arm.</summary>
    public int Pulls { get; init; } = 5;

    /// <summary>Rounds of reading and writing.</summary>
    public int StorageRounds { get; init; } = 5;

    /// <summary>Size of the file that is written and read, MiB.</summary>
    public int StorageMiB { get; init; } = 128;

    /// <summary>Boots beside four busy loops.</summary>
    public int LoadBoots { get; init; } = 200;

    /// <summary>Pods made and removed before what is left is counted.</summary>
    public int LeakCycles { get; init; } = 200;

    /// <summary>The full run.</summary>
    public static BenchPlan Full { get; } = new();

    /// <summary>Under three minutes.</summary>
    public static BenchPlan Quick { get; } = new()
    {
        IsQuick = true,
        Boots = 3,
        SerialPods = 5,
        BurstSizes = [1, 4],
        BurstRounds = 1,
        IdlePods = [1, 4],
        IdleTime = TimeSpan.FromSeconds(1),
        Pulls = 2,
        StorageRounds = 1,
        StorageMiB = 32,
        LoadBoots = 6,
        LeakCycles = 6,
    };

    /// <summary>The same with so many samples where one is the other's like.</summary>
    public BenchPlan WithSamples(int samples) => this with
    {
        Boots = samples, SerialPods = samples, Pulls = Math.Min(samples, Pulls), StorageRounds = Math.Min(samples, StorageRounds), LoadBoots = samples, LeakCycles = samples,
    };
}
