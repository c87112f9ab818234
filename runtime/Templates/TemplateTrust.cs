namespace Vks.Runtime.Templates;

/// <summary>Whether starts that failed speak against their template. Pure.</summary>
/// <remarks>
/// A template that QEMU cannot load, or whose agent does not understand us, is at fault at once. A clone that was too slow may be so because the
/// host is busy: only several in a row, of which none came up, speak against the template that all the others start from.
/// </remarks>
internal sealed class TemplateTrust
{
    /// <summary>Slow starts in a row that a template is given up for.</summary>
    internal const int MostSlowStarts = 3;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _slowStarts = new(StringComparer.Ordinal);

    /// <summary>A machine came up from the template.</summary>
    internal void Praise(string template)
    {
        lock (_lock)
        {
            _slowStarts.Remove(template);
        }
    }

    /// <summary>A machine did not come up from the template.</summary>
    /// <param name="template">Its name.</param>
    /// <param name="isSlow">It was too slow, and nothing else is known.</param>
    /// <returns>True when the template is to be given up.</returns>
    internal bool Blame(string template, bool isSlow)
    {
        lock (_lock)
        {
            int slow = isSlow ? _slowStarts.GetValueOrDefault(template) + 1 : MostSlowStarts;
            _slowStarts[template] = slow;
            return slow >= MostSlowStarts && _slowStarts.Remove(template);
        }
    }
}
