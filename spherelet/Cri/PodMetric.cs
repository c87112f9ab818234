using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Machines;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

/// <summary>One metric of pods or containers: what it is called, and how it is read. Descriptors and readings are made of the same one.</summary>
/// <param name="Name">As cAdvisor calls it, so that dashboards find it.</param>
/// <param name="Type">Whether it can fall.</param>
/// <param name="Help">What it is, for a person.</param>
/// <param name="Read">The values of a subject.</param>
internal sealed record PodMetric(string Name, V1.MetricType Type, string Help, Func<PodMetricSubject, IEnumerable<PodMetricValue>> Read)
{
    /// <summary>Labels that every metric of a pod or container has.</summary>
    private static readonly string[] s_labelKeys = ["id", "name", "image", "namespace", "pod", "container"];

    /// <summary>Labels of this metric beside those that all have.</summary>
    public IReadOnlyList<string> MoreLabelKeys { get; init; } = [];

    /// <summary>Its descriptor.</summary>
    public V1.MetricDescriptor Descriptor => new() { Name = Name, Help = Help, LabelKeys = { s_labelKeys, MoreLabelKeys } };

    /// <summary>A metric of one value and no more labels.</summary>
    public static PodMetric Counter(string name, string help, Func<PodMetricSubject, long> read) =>
        new(name, V1.MetricType.Counter, help, subject => [new PodMetricValue(read(subject))]);

    /// <summary>A metric of one value that can fall, and no more labels.</summary>
    public static PodMetric Gauge(string name, string help, Func<PodMetricSubject, long> read) =>
        new(name, V1.MetricType.Gauge, help, subject => [new PodMetricValue(read(subject))]);

    /// <summary>Its readings of a subject.</summary>
    public IEnumerable<V1.Metric> Of(PodMetricSubject subject) => Read(subject).Select(value => new V1.Metric
    {
        Name = Name,
        Timestamp = subject.Reading.UnixNanoseconds,
        MetricType = Type,
        LabelValues = { subject.LabelValues, value.MoreLabelValues },
        Value = new V1.UInt64Value { Value = (ulong)Math.Max(0, value.Value) },
    });
}

/// <summary>One value.</summary>
/// <param name="Value">Never negative.</param>
/// <param name="MoreLabelValues">In the order of <see cref="PodMetric.MoreLabelKeys"/>.</param>
internal sealed record PodMetricValue(long Value, params IReadOnlyList<string> MoreLabelValues);

/// <summary>What metrics are read of: a pod, or one container of it.</summary>
/// <param name="Reading">The pod's.</param>
/// <param name="Group">The cgroup of the one or the other.</param>
internal sealed record PodMetricSubject(PodReading Reading, GroupUsage Group)
{
    /// <summary>The container; null for a pod.</summary>
    public ContainerRecord? Container { get; init; }

    /// <summary>The container's writable layer; null for a pod, or when it was not measured yet.</summary>
    public LayerUsage? Layer { get; init; }

    /// <summary>How many files the container's first process may have open; 0 for a pod, or when it does not run.</summary>
    public long OpenFilesLimit { get; init; }

    /// <summary>What the pod's QEMU takes; null for a container, or when QEMU has ended.</summary>
    public HostUsage? Host { get; init; }

    /// <summary>Values of the labels that every metric has. A pod's have no container, so that a sum over containers does not count it twice.</summary>
    public IReadOnlyList<string> LabelValues
    {
        get
        {
            PodName pod = Reading.Sandbox.Record.Config.Name;
            string id = Container?.Id ?? Reading.Sandbox.Id;
            return [id, id, Container is null ? "" : Image(Container.Config), pod.Namespace, pod.Name, Container?.Config.Name ?? ""];
        }
    }

    private static string Image(ContainerConfig config) => config.UserSpecifiedImage.Length > 0 ? config.UserSpecifiedImage : config.Image;
}
