using k8s.Models;

namespace Vks.Supervisor.Kubernetes;

/// <summary>
/// The conditions of one object, computed anew at the end of each look from what was observed. The time of the last change is kept where the
/// status is what it was.
/// </summary>
internal sealed class ConditionSet(IEnumerable<V1Condition>? before, long? generation, TimeProvider time)
{
    private readonly Dictionary<string, V1Condition> _before = (before ?? []).ToDictionary(condition => condition.Type, StringComparer.Ordinal);
    private readonly List<V1Condition> _now = [];

    /// <summary>The conditions, in the order they were set.</summary>
    public IList<V1Condition> Now => _now;

    /// <summary>Says how something is.</summary>
    /// <param name="type">What.</param>
    /// <param name="holds">True, False, or null when it could not be seen.</param>
    /// <param name="reason">One word in CamelCase for programs.</param>
    /// <param name="message">For people: what is, and what to do.</param>
    public void Set(string type, bool? holds, string reason, string message)
    {
        string status = holds switch { true => "True", false => "False", null => "Unknown" };
        V1Condition? was = _before.GetValueOrDefault(type);
        _now.Add(new V1Condition
        {
            Type = type,
            Status = status,
            Reason = reason,

            // Never empty: an API server of 1.20 that was built with a newer Go takes an empty string in an object of our kinds for null.
            Message = message.Length > 0 ? message : reason,
            ObservedGeneration = generation,
            LastTransitionTime = was?.Status == status ? was.LastTransitionTime : time.GetUtcNow().UtcDateTime,
        });
    }

    /// <summary>The sum of all set so far: True when all are, False when one is, else Unknown; reason and message are the first bad one's.</summary>
    public void Summarize(string type, string fine)
    {
        V1Condition? worst = _now.FirstOrDefault(condition => condition.Status == "False") ?? _now.FirstOrDefault(condition => condition.Status == "Unknown");
        if (worst is null)
        {
            Set(type, true, fine, "");
        }
        else
        {
            Set(type, worst.Status == "False" ? false : null, worst.Reason, $"{worst.Type}: {worst.Message}");
        }
    }

    /// <summary>True when a condition was set to True in this look.</summary>
    public bool Holds(string type) => Is(type, "True");

    /// <summary>Whether a condition was set to a status in this look.</summary>
    /// <param name="type">What.</param>
    /// <param name="status"><c>True</c>, <c>False</c> or <c>Unknown</c>.</param>
    public bool Is(string type, string status) => _now.Any(condition => condition.Type == type && condition.Status == status);

    /// <summary>Those whose status is not what it was.</summary>
    public IEnumerable<V1Condition> Transitions => _now.Where(condition => _before.GetValueOrDefault(condition.Type)?.Status != condition.Status);
}
