using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Vks.Spherelet.Network;

/// <summary>What a pod's request means in the words of CNI's conventions for run-time configuration.</summary>
internal static class CniRuntimeConfig
{
    /// <summary>Annotation: bits per second into the pod, as a Kubernetes quantity.</summary>
    public const string IngressBandwidth = "kubernetes.io/ingress-bandwidth";

    /// <summary>Annotation: bits per second out of the pod, as a Kubernetes quantity.</summary>
    public const string EgressBandwidth = "kubernetes.io/egress-bandwidth";

    /// <summary>Annotation: fixed addresses with prefix, separated by commas, for plugins with the <c>ips</c> capability.</summary>
    public const string FixedAddresses = "vks.dev/pod-ips";

    /// <summary>Annotation: fixed MAC address, for plugins with the <c>mac</c> capability.</summary>
    public const string FixedMac = "vks.dev/pod-mac";

    /// <summary>Burst in bits: what the plugin lets through at once. The largest it takes, so that the rate alone limits.</summary>
    private const long BurstBits = int.MaxValue;

    /// <summary>One JSON value by capability name.</summary>
    /// <exception cref="FormatException">An annotation cannot be read.</exception>
    public static IReadOnlyDictionary<string, string> Build(PodNetworkRequest request)
    {
        Dictionary<string, string> config = [];
        if (request.PortMappings.Count > 0)
        {
            config["portMappings"] = Json(writer => WritePortMappings(writer, request.PortMappings));
        }

        long ingress = Bits(request, IngressBandwidth);
        long egress = Bits(request, EgressBandwidth);
        if (ingress > 0 || egress > 0)
        {
            config["bandwidth"] = Json(writer => WriteBandwidth(writer, ingress, egress));
        }

        if (request.Annotations.TryGetValue(FixedAddresses, out string? addresses))
        {
            config["ips"] = Json(writer => WriteStrings(writer, addresses.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)));
        }

        if (request.Annotations.TryGetValue(FixedMac, out string? mac))
        {
            config["mac"] = Json(writer => writer.WriteStringValue(mac));
        }

        if (request.Annotations.Count > 0)
        {
            config["io.kubernetes.cri.pod-annotations"] = Json(writer => WriteMap(writer, request.Annotations));
        }

        return config;
    }

    /// <summary>CNI_ARGS: who the pod is. Plugins that do not know these keys are told to ignore them.</summary>
    public static string Arguments(PodNetworkRequest request) =>
        $"IgnoreUnknown=1;K8S_POD_NAMESPACE={request.Namespace};K8S_POD_NAME={request.Name};K8S_POD_INFRA_CONTAINER_ID={request.PodId};K8S_POD_UID={request.Uid}";

    /// <summary>Reads a Kubernetes quantity of bits: <c>10M</c>, <c>1Gi</c>, <c>500000</c>.</summary>
    /// <exception cref="FormatException">It is no quantity, or less than 1000 bits (1 kbit/s is the smallest the kernel shapes).</exception>
    internal static long ParseQuantity(string text)
    {
        string digits = text.TrimEnd('k', 'K', 'M', 'G', 'T', 'P', 'i');
        decimal factor = text[digits.Length..] switch
        {
            "" => 1m,
            "k" => 1_000m,
            "M" => 1_000_000m,
            "G" => 1_000_000_000m,
            "T" => 1_000_000_000_000m,
            "P" => 1_000_000_000_000_000m,
            "Ki" => 1L << 10,
            "Mi" => 1L << 20,
            "Gi" => 1L << 30,
            "Ti" => 1L << 40,
            "Pi" => 1L << 50,
            _ => 0m,
        };
        bool read = decimal.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number);
        return read && factor > 0 && number is >= 0 and <= 1_000_000_000_000m && number * factor is >= 1_000m and <= long.MaxValue
            ? (long)(number * factor)
            : throw new FormatException($"'{text}' is not a bandwidth: a number of bits per second of at least 1k, with k, M, G, T, P, Ki, Mi … behind it.");
    }

    private static long Bits(PodNetworkRequest request, string annotation)
    {
        if (!request.Annotations.TryGetValue(annotation, out string? text))
        {
            return 0;
        }

        try
        {
            return ParseQuantity(text);
        }
        catch (FormatException problem)
        {
            throw new FormatException($"Annotation {annotation}: {problem.Message}", problem);
        }
    }

    private static void WritePortMappings(Utf8JsonWriter writer, IReadOnlyList<PodPortMapping> mappings)
    {
        writer.WriteStartArray();
        foreach (PodPortMapping mapping in mappings)
        {
            writer.WriteStartObject();
            writer.WriteNumber("hostPort", mapping.HostPort);
            writer.WriteNumber("containerPort", mapping.ContainerPort);
            writer.WriteString("protocol", mapping.Protocol);
            writer.WriteString("hostIP", mapping.HostIp);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void WriteBandwidth(Utf8JsonWriter writer, long ingress, long egress)
    {
        writer.WriteStartObject();
        if (ingress > 0)
        {
            writer.WriteNumber("ingressRate", ingress);
            writer.WriteNumber("ingressBurst", BurstBits);
        }

        if (egress > 0)
        {
            writer.WriteNumber("egressRate", egress);
            writer.WriteNumber("egressBurst", BurstBits);
        }

        writer.WriteEndObject();
    }

    private static void WriteStrings(Utf8JsonWriter writer, IEnumerable<string> values)
    {
        writer.WriteStartArray();
        foreach (string value in values)
        {
            writer.WriteStringValue(value);
        }

        writer.WriteEndArray();
    }

    private static void WriteMap(Utf8JsonWriter writer, IReadOnlyDictionary<string, string> map)
    {
        writer.WriteStartObject();
        foreach ((string key, string value) in map)
        {
            writer.WriteString(key, value);
        }

        writer.WriteEndObject();
    }

    private static string Json(Action<Utf8JsonWriter> write)
    {
        using MemoryStream buffer = new();
        using (Utf8JsonWriter writer = new(buffer))
        {
            write(writer);
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }
}
