using System.Text.Json;
using System.Text.Json.Serialization;
using Vks.Supervisor.Pki;

namespace Vks.Supervisor.ControlPlane;

/// <summary>How a member is, as it says itself, once a second; in <c>run/state.json</c>.</summary>
internal sealed record MemberState
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>When this was said. What is older than some seconds is from a member that does not run.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>The member's own process.</summary>
    public required int ProcessId { get; init; }

    /// <summary>Its kube-apiserver serves the API.</summary>
    public required bool Ready { get; init; }

    /// <summary>Why it does not, or empty.</summary>
    public required string Why { get; init; }

    /// <summary>It has the floating address on its link.</summary>
    public required bool HasFloatingAddress { get; init; }

    /// <summary>Who has the floating address as far as it knows, or null.</summary>
    public required string? FloatingAddressHolder { get; init; }

    /// <summary>Its etcd.</summary>
    public required EtcdState Etcd { get; init; }

    /// <summary>Its programs.</summary>
    public required IReadOnlyList<ProgramState> Programs { get; init; }

    /// <summary>When the first of its certificates ends.</summary>
    public required DateTimeOffset CertificatesEnd { get; init; }

    /// <summary>Folder of its Kubernetes programs.</summary>
    public required string ProgramsFolder { get; init; }

    /// <summary>The control plane that it is a member of.</summary>
    public string Cluster { get; init; } = "";

    /// <summary>Its host's name.</summary>
    public string Host { get; init; } = "";

    /// <summary>Its host's zone; empty when it was not said.</summary>
    public string Zone { get; init; } = "";

    /// <summary>Its management address.</summary>
    public string Address { get; init; } = "";

    /// <summary>Version of its kube-apiserver, <c>v1.20.2</c>; empty until it has served.</summary>
    public string KubernetesVersion { get; init; } = "";

    /// <summary>It is to leave the control plane: it serves the API no longer, and waits to be taken out of etcd.</summary>
    public bool Leaving { get; init; }

    /// <summary>Where a member's state is.</summary>
    /// <param name="settings">The member.</param>
    public static string PathIn(MemberSettings settings) => Path.Combine(settings.RunDirectory, "state.json");

    /// <summary>Writes it. It is of this moment, and etcd needs the disk more.</summary>
    /// <param name="path">The file.</param>
    public void Write(string path) => PrivateFiles.Write(path, JsonSerializer.SerializeToUtf8Bytes(this, MemberStateJson.Default.MemberState), secret: false, durable: false);

    /// <summary>Reads one.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The state, or null when there is none.</returns>
    public static MemberState? Read(string path) =>
        File.Exists(path) ? JsonSerializer.Deserialize(File.ReadAllBytes(path), MemberStateJson.Default.MemberState) : null;
}

/// <summary>The JSON of a member's state.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(MemberState))]
internal sealed partial class MemberStateJson : JsonSerializerContext;
