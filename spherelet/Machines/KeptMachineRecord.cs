using System.Text.Json.Serialization;

namespace Vks.Spherelet.Machines;

/// <summary>A machine that is kept running, as it is on disk: what was asked for, and what a daemon that starts anew must know.</summary>
internal sealed record KeptMachineRecord
{
    /// <summary>Its name: a DNS label.</summary>
    public required string Name { get; init; }

    /// <summary>The engine's name for it, 64 hex digits; its own for as long as it exists.</summary>
    public required string Id { get; init; }

    /// <summary>Its hardware address; the same in each of its lives, since its neighbours remember it.</summary>
    public required string Mac { get; init; }

    /// <summary>What it is to be.</summary>
    public required KeptMachineSettings Settings { get; init; }

    /// <summary>It is to run.</summary>
    public bool ShouldRun { get; init; }

    /// <summary>Its program in the guest, once that has taken its files over; null before and after. Without it a machine that runs is not taken back.</summary>
    public string? ContainerId { get; init; }
}

/// <summary>The JSON of these files.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, WriteIndented = true)]
[JsonSerializable(typeof(KeptMachineRecord))]
internal sealed partial class KeptMachineJson : JsonSerializerContext;
