using System.Text.Json.Serialization;

namespace Vks.Runtime.Guest.Protocol;

/// <summary>The JSON of the guest channel. We own both ends, so an unknown member is a fault, not a surprise to carry on with.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(Hello))]
[JsonSerializable(typeof(HelloReply))]
[JsonSerializable(typeof(GuestRequest))]
[JsonSerializable(typeof(GuestError))]
[JsonSerializable(typeof(GuestEvent))]
[JsonSerializable(typeof(Empty))]
[JsonSerializable(typeof(GuestPersonality))]
[JsonSerializable(typeof(GuestClockReading))]
[JsonSerializable(typeof(GuestClockChange))]
[JsonSerializable(typeof(GuestStats))]
[JsonSerializable(typeof(DialRequest))]
[JsonSerializable(typeof(ContainerSpec))]
[JsonSerializable(typeof(ContainerReference))]
[JsonSerializable(typeof(ContainerMade))]
[JsonSerializable(typeof(ContainerStarted))]
[JsonSerializable(typeof(ContainerDescription))]
[JsonSerializable(typeof(SignalRequest))]
[JsonSerializable(typeof(ContainerReport))]
[JsonSerializable(typeof(ContainerList))]
[JsonSerializable(typeof(OutputRequest))]
[JsonSerializable(typeof(OutputResult))]
[JsonSerializable(typeof(ResizeRequest))]
[JsonSerializable(typeof(ExecSpec))]
[JsonSerializable(typeof(ExecResult))]
[JsonSerializable(typeof(UpdateRequest))]
[JsonSerializable(typeof(ResourceLimits))]
public sealed partial class GuestJson : JsonSerializerContext;
