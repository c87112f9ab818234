using System.Text.RegularExpressions;

namespace Vks.Runtime.Machines;

/// <summary>Names a machine on its host: 1 to 64 characters of <c>[a-z0-9-]</c>, so that it is safe in paths and cgroup names.</summary>
public readonly partial record struct MachineId
{
    private MachineId(string value) => Value = value;

    /// <summary>The id as text.</summary>
    public string Value { get; }

    /// <summary>The first 12 characters, for names with a length limit (netns, cgroup, log lines).</summary>
    public string Prefix => Value.Length <= 12 ? Value : Value[..12];

    /// <summary>Reads an id; false when the text breaks the rule above.</summary>
    public static bool TryParse(string? text, out MachineId id)
    {
        bool valid = text is not null && Pattern().IsMatch(text);
        id = valid ? new MachineId(text!) : default;
        return valid;
    }

    /// <summary>Reads an id.</summary>
    /// <exception cref="FormatException">The text breaks the rule above.</exception>
    public static MachineId Parse(string text) =>
        TryParse(text, out MachineId id) ? id : throw new FormatException($"Machine id '{text}' is not 1 to 64 characters of a-z, 0-9 and '-'.");

    /// <inheritdoc/>
    public override string ToString() => Value;

    [GeneratedRegex("^[a-z0-9-]{1,64}\\z", RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}
