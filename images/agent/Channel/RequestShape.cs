using System.Collections;
using System.Text.Json.Serialization.Metadata;

namespace Vks.Agent.Channel;

/// <summary>Looks for what a JSON reader lets through: members that a record declares as never null, left out or null in the text.</summary>
internal static class RequestShape
{
    /// <summary>Gives the path of the first such member, <c>process.args[2]</c>, or null when the value is as its type says.</summary>
    /// <param name="value">What was read.</param>
    /// <param name="type">The JSON metadata it was read by.</param>
    internal static string? Missing(object value, JsonTypeInfo type) => type.Kind switch
    {
        JsonTypeInfoKind.Object => InMembers(value, type),
        JsonTypeInfoKind.Enumerable => InElements((IEnumerable)value, type),
        JsonTypeInfoKind.Dictionary => InElements(((IEnumerable<KeyValuePair<string, string>>)value).Select(pair => pair.Value), type),
        _ => null,
    };

    private static string? InMembers(object value, JsonTypeInfo type)
    {
        foreach (JsonPropertyInfo member in type.Properties)
        {
            object? content = member.Get?.Invoke(value);
            if (content is null)
            {
                if (member is { Get: not null, IsGetNullable: false })
                {
                    return member.Name;
                }
            }
            else if (Missing(content, type.Options.GetTypeInfo(member.PropertyType)) is { } below)
            {
                return below[0] == '[' ? member.Name + below : member.Name + "." + below;
            }
        }

        return null;
    }

    private static string? InElements(IEnumerable elements, JsonTypeInfo type)
    {
        JsonTypeInfo element = type.Options.GetTypeInfo(type.ElementType!);
        var at = 0;
        foreach (object? content in elements)
        {
            if (content is null)
            {
                return $"[{at}]";
            }

            if (Missing(content, element) is { } below)
            {
                return $"[{at}].{below}";
            }

            at++;
        }

        return null;
    }
}
