using System.Security.Cryptography;

namespace Vks.Spherelet.Pods;

/// <summary>Ids of pods and containers: 64 lower-case hex digits.</summary>
internal static class PodId
{
    /// <summary>A fresh one.</summary>
    public static string New() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    /// <summary>Finds what an id, or a beginning that only one id has, stands for.</summary>
    /// <param name="items">By id.</param>
    /// <param name="id">As the caller gave it.</param>
    /// <param name="kind">For the message, <c>pod sandbox</c>.</param>
    /// <exception cref="PodException"><see cref="PodFault.NotFound"/>, or <see cref="PodFault.InvalidConfig"/> when empty or ambiguous.</exception>
    public static T Find<T>(IReadOnlyDictionary<string, T> items, string id, string kind)
        where T : class =>
        TryFind(items, id, kind) ?? throw new PodException(PodFault.NotFound, id, $"There is no {kind} '{id}'.");

    /// <summary>As <see cref="Find"/>, with null for an id that does not exist.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>: empty or ambiguous.</exception>
    public static T? TryFind<T>(IReadOnlyDictionary<string, T> items, string id, string kind)
        where T : class
    {
        if (id.Length == 0)
        {
            throw new PodException(PodFault.InvalidConfig, "", $"The id of a {kind} is empty.");
        }

        if (items.TryGetValue(id, out T? exact))
        {
            return exact;
        }

        T? found = null;
        foreach ((string key, T item) in items)
        {
            if (key.StartsWith(id, StringComparison.Ordinal))
            {
                found = found is null
                    ? item
                    : throw new PodException(PodFault.InvalidConfig, id, $"More than one {kind} has an id that begins with '{id}'; give more digits.");
            }
        }

        return found;
    }
}
