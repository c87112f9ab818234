using System.Text.Json.Serialization;

namespace Vks.Bench.Results;

/// <summary>What came of a gate.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<GateVerdict>))]
internal enum GateVerdict
{
    /// <summary>At most the limit.</summary>
    Passed,

    /// <summary>Above the limit.</summary>
    Failed,

    /// <summary>An arm, or enough samples of it, are missing.</summary>
    NotMeasured,
}

/// <summary>One promise and what this run says of it.</summary>
internal sealed record Gate
{
    /// <summary>What is compared with what.</summary>
    public required string Name { get; init; }

    /// <summary>Our arm that stands for the promise.</summary>
    public required string OurArm { get; init; }

    /// <summary>Our value, or null.</summary>
    public double? Ours { get; init; }

    /// <summary>The peer, or what else it is held against; empty for none.</summary>
    public string Peer { get; init; } = "";

    /// <summary>The peer's value, or null.</summary>
    public double? PeerValue { get; init; }

    /// <summary>Unit of both.</summary>
    public string Unit { get; init; } = "";

    /// <summary>What is held against the limit: mostly the ratio of both.</summary>
    public double? Value { get; init; }

    /// <summary>The limit; for <see cref="AtLeast"/> the value must not be below it, else not above.</summary>
    public required double Limit { get; init; }

    /// <summary>Whether the limit is a lower one.</summary>
    public bool AtLeast { get; init; }

    /// <summary>What came of it.</summary>
    public required GateVerdict Verdict { get; init; }

    /// <summary>Whether it is about time and memory, which a quick run has too few samples to judge, or a count that holds always.</summary>
    public bool IsCount { get; init; }
}
