using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Vks.Spherelet.Streaming;

/// <summary>How a session ended, in the words of Kubernetes' Status object.</summary>
internal sealed record StreamStatus
{
    /// <summary>Always empty, always there.</summary>
    [JsonPropertyName("metadata")]
    public EmptyObject Metadata { get; } = new();

    /// <summary>Success or Failure.</summary>
    [JsonPropertyName("status")]
    public required string Status { get; init; }

    /// <summary>For a person.</summary>
    [JsonPropertyName("message")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Message { get; init; }

    /// <summary>One CamelCase word.</summary>
    [JsonPropertyName("reason")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Reason { get; init; }

    /// <summary>The exit code, or what went wrong.</summary>
    [JsonPropertyName("details")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public StatusDetails? Details { get; init; }

    /// <summary>As an HTTP status, or 0.</summary>
    [JsonPropertyName("code")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Code { get; init; }

    /// <summary>All went well, and the process exited with 0.</summary>
    [JsonIgnore]
    public bool IsSuccess => Status == "Success";

    /// <summary>The end of a process.</summary>
    /// <param name="exitCode">0 to 255.</param>
    public static StreamStatus Exited(int exitCode) => exitCode == 0
        ? new StreamStatus { Status = "Success" }
        : new StreamStatus
        {
            Status = "Failure",
            Reason = "NonZeroExitCode",
            Message = $"command terminated with non-zero exit code: {exitCode}",
            Details = new StatusDetails([new StatusCause("ExitCode", exitCode.ToString(CultureInfo.InvariantCulture))]),
        };

    /// <summary>The session failed, whatever the process did.</summary>
    public static StreamStatus Failed(string message) => new()
    {
        Status = "Failure",
        Reason = "InternalError",
        Message = message,
        Details = new StatusDetails([new StatusCause(null, message)]),
        Code = 500,
    };

    /// <summary>What goes over the error stream; empty for nothing at all.</summary>
    /// <param name="asJson">The protocol is version 4 or later; earlier ones carry plain text, and only of failures.</param>
    public byte[] ToBytes(bool asJson) =>
        asJson ? JsonSerializer.SerializeToUtf8Bytes(this, StreamingJson.Default.StreamStatus)
        : IsSuccess ? []
        : System.Text.Encoding.UTF8.GetBytes(Message ?? "");

    /// <summary>An object without fields.</summary>
    internal sealed record EmptyObject;

    /// <summary>Holds the causes.</summary>
    /// <param name="Causes">At least one.</param>
    internal sealed record StatusDetails([property: JsonPropertyName("causes")] IReadOnlyList<StatusCause> Causes);

    /// <summary>One cause.</summary>
    /// <param name="Reason"><c>ExitCode</c>, or null.</param>
    /// <param name="Message">The exit code in digits, or text for a person.</param>
    internal sealed record StatusCause(
        [property: JsonPropertyName("reason"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Reason,
        [property: JsonPropertyName("message")] string Message);
}

/// <summary>A terminal's size, as clients send it.</summary>
/// <param name="Width">Columns.</param>
/// <param name="Height">Rows.</param>
internal sealed record TerminalSize(ushort Width, ushort Height);

/// <summary>JSON of the streaming server, generated at build time.</summary>
[JsonSerializable(typeof(StreamStatus))]
[JsonSerializable(typeof(TerminalSize))]
internal sealed partial class StreamingJson : JsonSerializerContext;
