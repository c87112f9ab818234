using System.Text.Json.Serialization;

namespace Vks.Supervisor.ControlPlane;

/// <summary>Which members a control plane has, on which hosts: <c>members.json</c> beside the authorities.</summary>
/// <remarks>A member is written here before anything of it is made and is taken out when nothing of it is left; so whatever a killed run has left is found again.</remarks>
internal sealed record MemberBook
{
    /// <summary>The control plane.</summary>
    public required string Cluster { get; init; }

    /// <summary>The number of the next member's name.</summary>
    public required int Next { get; init; }

    /// <summary>All members, from the oldest on.</summary>
    public required IReadOnlyList<BookedMember> Members { get; init; }

    /// <summary>Whether the members' settings files name the members that there are. A restore reads them.</summary>
    public required bool Settled { get; init; }

    /// <summary>Why the last rolling replacement was stopped; empty when it was not.</summary>
    public string Stopped { get; init; } = "";

    /// <summary>The book of a control plane that is made now.</summary>
    /// <param name="settings">The control plane.</param>
    public static MemberBook First(ControlPlaneSettings settings)
    {
        IReadOnlyList<PlannedMember> planned = ControlPlanePlan.Members(settings);
        return new MemberBook
        {
            Cluster = settings.Name,
            Next = planned.Count + 1,
            Members = [.. planned.Select(member => new BookedMember
            {
                Name = member.Name, Host = member.Host, Address = member.Address.ToString(), File = ControlPlanePlan.FileOf(settings, member),
                Settings = ControlPlanePlan.Shared(settings), Phase = MemberPhase.Serving,
            })],
            Settled = true,
        };
    }

    /// <summary>The book with another entry for a member.</summary>
    /// <param name="name">The member.</param>
    /// <param name="change">Makes the entry; null takes it out.</param>
    public MemberBook With(string name, Func<BookedMember, BookedMember?> change) =>
        this with { Members = [.. Members.Select(member => member.Name == name ? change(member) : member).OfType<BookedMember>()] };
}

/// <summary>The JSON of the book.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, UseStringEnumConverter = true, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(MemberBook))]
internal sealed partial class MemberBookJson : JsonSerializerContext;
