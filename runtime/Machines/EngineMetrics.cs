using System.Diagnostics.Metrics;

namespace Vks.Runtime.Machines;

/// <summary>What the engine counts, under the meter <c>Vks.Runtime</c>.</summary>
internal static class EngineMetrics
{
    private static readonly Meter Meter = new("Vks.Runtime");

    /// <summary>Machines that started from a template.</summary>
    internal static Counter<long> TemplateHits { get; } = Meter.CreateCounter<long>("vks.template.hits", "{machine}", "Machines started from a template.");

    /// <summary>Machines that could have, and booted.</summary>
    internal static Counter<long> TemplateMisses { get; } = Meter.CreateCounter<long>("vks.template.misses", "{machine}", "Machines that booted for want of a template.");

    /// <summary>Templates that turned out not to work.</summary>
    internal static Counter<long> TemplateFaults { get; } = Meter.CreateCounter<long>("vks.template.faults", "{template}", "Templates dropped because they did not work.");

    /// <summary>How long the making of each template took.</summary>
    internal static Histogram<double> TemplateBuilds { get; } = Meter.CreateHistogram<double>("vks.template.build", "s", "Time to make a template.");
}
