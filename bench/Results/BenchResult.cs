using System.Text.Json;
using System.Text.Json.Serialization;
using Vks.Bench.Host;

namespace Vks.Bench.Results;

/// <summary>All of one run: <c>bench.json</c>.</summary>
internal sealed record BenchResult
{
    /// <summary>The layout of the file.</summary>
    public const int CurrentVersion = 1;

    /// <summary>The layout of this file.</summary>
    public required int Version { get; init; }

    /// <summary>When the run began, UTC.</summary>
    public required DateTimeOffset Begun { get; init; }

    /// <summary>How long it took, s.</summary>
    public required double DurationSeconds { get; init; }

    /// <summary>How much was to be measured.</summary>
    public required BenchPlan Plan { get; init; }

    /// <summary>The machine.</summary>
    public required MachineDescription Machine { get; init; }

    /// <summary>The arms that ran: name and what it is.</summary>
    public required IReadOnlyDictionary<string, string> Arms { get; init; }

    /// <summary>The promises.</summary>
    public required IReadOnlyList<Gate> Gates { get; init; }

    /// <summary>Every series by its percentiles.</summary>
    public required IReadOnlyList<SummaryRow> Summary { get; init; }

    /// <summary>What is expected on KVM and was not measured here; empty where guests run on KVM.</summary>
    public required IReadOnlyList<Prediction> Predictions { get; init; }

    /// <summary>What could not be measured.</summary>
    public required IReadOnlyList<Failure> Failures { get; init; }

    /// <summary>All raw samples.</summary>
    public required IReadOnlyList<Series> Series { get; init; }

    /// <summary>Whether the run ends with success: a full run needs every gate passed; a quick one none of the counting ones failed.</summary>
    [JsonIgnore]
    public bool Succeeded => Plan.IsQuick || Plan.IsPartial
        ? Gates.All(static gate => !gate.IsCount || gate.Verdict != GateVerdict.Failed)
        : Gates.All(static gate => gate.Verdict == GateVerdict.Passed);

    /// <summary>Reads a file of <see cref="WriteAsync"/>.</summary>
    public static async Task<BenchResult> ReadAsync(string path, CancellationToken cancellationToken)
    {
        await using FileStream file = File.OpenRead(path);
        return await JsonSerializer.DeserializeAsync(file, BenchJson.Default.BenchResult, cancellationToken)
            ?? throw new BenchException($"{path} holds no result.");
    }

    /// <summary>Writes it.</summary>
    public async Task WriteAsync(string path, CancellationToken cancellationToken)
    {
        await using FileStream file = File.Create(path);
        await JsonSerializer.SerializeAsync(file, this, BenchJson.Default.BenchResult, cancellationToken);
    }
}

/// <summary>A number nobody measured here.</summary>
/// <param name="What">What of.</param>
/// <param name="Text">The number, and that it is a prediction.</param>
internal sealed record Prediction(string What, string Text)
{
    /// <summary>What is expected where guests run on KVM; see the README for what it rests on.</summary>
    public static IReadOnlyList<Prediction> ForKvm { get; } =
    [
        new("cold boot, exec to agent", "55 to 80 ms on KVM (prediction, not measured)"),
        new("clone, exec to agent", "about 30 ms on KVM (prediction, not measured)"),
        new("pre-started clone to agent", "5 to 8 ms on KVM (prediction, not measured)"),
    ];
}

/// <summary>How results are written.</summary>
[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(BenchResult))]
internal sealed partial class BenchJson : JsonSerializerContext;
