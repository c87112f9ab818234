using System.Globalization;
using System.Net;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Vks.Supervisor.Configuration;

/// <summary>One mapping of a settings file, read field by field; every fault is kept with its line, so that a person sees all of them at once.</summary>
/// <remarks>Ask for each field once, then call <see cref="Finish"/>: what was not asked for is unknown, and refused.</remarks>
internal sealed class YamlFields
{
    private readonly string _path;
    private readonly YamlMappingNode _node;
    private readonly List<string> _faults;
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);

    private YamlFields(string path, YamlMappingNode node, List<string> faults)
    {
        _path = path;
        _node = node;
        _faults = faults;
    }

    /// <summary>Reads a file and turns it into a value.</summary>
    /// <param name="file">The file's path.</param>
    /// <param name="read">Reads the fields; adds to the list what is wrong. Its result counts only when nothing is.</param>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Settings"/>: all faults, one a line.</exception>
    public static T Read<T>(string file, Func<YamlFields, List<string>, T> read)
    {
        string text;
        try
        {
            text = File.ReadAllText(file);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new SupervisorException(SupervisorFault.Settings, $"reading settings {file}: {problem.Message}", problem);
        }

        return Parse(file, text, read);
    }

    /// <summary>As <see cref="Read{T}"/>, from a text.</summary>
    /// <param name="file">What to call the text in faults.</param>
    /// <param name="text">The YAML.</param>
    /// <param name="read">As in <see cref="Read{T}"/>.</param>
    public static T Parse<T>(string file, string text, Func<YamlFields, List<string>, T> read)
    {
        List<string> faults = [];
        YamlStream stream = [];
        try
        {
            using StringReader reader = new(text);
            stream.Load(reader);
        }
        catch (YamlException problem)
        {
            throw new SupervisorException(SupervisorFault.Settings, $"{file} is no YAML: line {problem.Start.Line}: {problem.Message}", problem);
        }

        if (stream.Documents.Count != 1 || stream.Documents[0].RootNode is not YamlMappingNode root)
        {
            throw new SupervisorException(SupervisorFault.Settings, $"{file} must hold one YAML document with fields and values");
        }

        YamlFields fields = new("", root, faults);
        T value = read(fields, faults);
        fields.Finish();
        return faults.Count == 0
            ? value
            : throw new SupervisorException(SupervisorFault.Settings, $"{file} has {faults.Count} {(faults.Count == 1 ? "fault" : "faults")}, nothing was changed:\n  {string.Join("\n  ", faults)}");
    }

    /// <summary>Adds a fault of a field.</summary>
    /// <param name="name">The field.</param>
    /// <param name="what">What is wrong with it, and what would be right.</param>
    public void Fault(string name, string what) => _faults.Add($"line {Line(name)}: {_path}{name} {what}");

    /// <summary>A text; without a default it must be there and not be empty.</summary>
    /// <param name="name">The field.</param>
    /// <param name="otherwise">The value of a field that is not there.</param>
    public string Text(string name, string? otherwise = null)
    {
        _asked.Add(name);
        if (!_node.Children.TryGetValue(name, out YamlNode? node))
        {
            if (otherwise is null)
            {
                Fault(name, "is missing");
            }

            return otherwise ?? "";
        }

        if (node is not YamlScalarNode { Value: { Length: > 0 } text })
        {
            Fault(name, "must be a text that is not empty");
            return otherwise ?? "";
        }

        return text;
    }

    /// <summary>A whole number.</summary>
    /// <param name="name">The field.</param>
    /// <param name="least">The least value allowed.</param>
    /// <param name="most">The greatest value allowed.</param>
    /// <param name="otherwise">The value of a field that is not there; null when it must be.</param>
    public int Number(string name, int least, int most, int? otherwise = null)
    {
        string text = Text(name, otherwise?.ToString(CultureInfo.InvariantCulture));
        if (text.Length == 0)
        {
            return least;
        }

        if (!int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) || value < least || value > most)
        {
            Fault(name, $"is '{text}', which is no whole number from {least} to {most}");
            return least;
        }

        return value;
    }

    /// <summary><c>true</c> or <c>false</c>.</summary>
    /// <param name="name">The field.</param>
    /// <param name="otherwise">The value of a field that is not there.</param>
    public bool Switch(string name, bool otherwise)
    {
        string text = Text(name, otherwise ? "true" : "false");
        if (text is not ("true" or "false"))
        {
            Fault(name, $"is '{text}', which is neither true nor false");
        }

        return text == "true";
    }

    /// <summary>One of an enum's names, in small letters.</summary>
    /// <param name="name">The field.</param>
    /// <param name="otherwise">The value of a field that is not there.</param>
    public T Choice<T>(string name, T otherwise)
        where T : struct, Enum
    {
        string text = Text(name, otherwise.ToString().ToLowerInvariant());
        foreach (T value in Enum.GetValues<T>())
        {
            if (string.Equals(text, value.ToString(), StringComparison.OrdinalIgnoreCase))
            {
                return value;
            }
        }

        Fault(name, $"is '{text}', which is none of {string.Join(", ", Enum.GetNames<T>().Select(static known => known.ToLowerInvariant()))}");
        return otherwise;
    }

    /// <summary>An IPv4 or IPv6 address, or null when the field is not there and need not be.</summary>
    /// <param name="name">The field.</param>
    /// <param name="required">Whether it must be there.</param>
    public IPAddress? Address(string name, bool required)
    {
        string text = Text(name, required ? null : "");
        if (text.Length == 0)
        {
            return required ? IPAddress.None : null;
        }

        // IPAddress also takes "1" and "0x7f.1", which nobody means.
        if (IPAddress.TryParse(text, out IPAddress? address) && address.ToString().Equals(text, StringComparison.OrdinalIgnoreCase))
        {
            return address;
        }

        Fault(name, $"is '{text}', which is no IP address in its usual form");
        return required ? IPAddress.None : null;
    }

    /// <summary>A range of addresses, <c>10.96.0.0/16</c>, or null when the field is not there and need not be.</summary>
    /// <param name="name">The field.</param>
    /// <param name="otherwise">The value of a field that is not there: a range, or empty for null.</param>
    public IPNetwork? Range(string name, string otherwise)
    {
        string text = Text(name, otherwise);
        if (text.Length == 0)
        {
            return null;
        }

        // .NET takes 10.96.0.1/16 for 10.96.0.0/16; whoever wrote it meant something else.
        if (IPNetwork.TryParse(text, out IPNetwork range) && IPAddress.TryParse(text.Split('/')[0], out IPAddress? first) && first.Equals(range.BaseAddress))
        {
            return range;
        }

        Fault(name, $"is '{text}', which is no range of addresses such as 10.96.0.0/16 (bits beyond the prefix must be 0)");
        return null;
    }

    /// <summary>Texts in a list; empty when the field is not there.</summary>
    /// <param name="name">The field.</param>
    public IReadOnlyList<string> Texts(string name)
    {
        _asked.Add(name);
        if (!_node.Children.TryGetValue(name, out YamlNode? node))
        {
            return [];
        }

        if (node is not YamlSequenceNode list || list.Children.Any(static item => item is not YamlScalarNode { Value.Length: > 0 }))
        {
            Fault(name, "must be a list of texts");
            return [];
        }

        return [.. list.Children.Cast<YamlScalarNode>().Select(static item => item.Value!)];
    }

    /// <summary>A mapping below this one, or null when the field is not there.</summary>
    /// <param name="name">The field.</param>
    /// <param name="read">Reads its fields.</param>
    public T? Section<T>(string name, Func<YamlFields, T> read)
        where T : class
    {
        _asked.Add(name);
        if (!_node.Children.TryGetValue(name, out YamlNode? node))
        {
            return null;
        }

        if (node is not YamlMappingNode mapping)
        {
            Fault(name, "must have fields of its own");
            return null;
        }

        return Inner($"{_path}{name}.", mapping, read);
    }

    /// <summary>A list of mappings; empty when the field is not there.</summary>
    /// <param name="name">The field.</param>
    /// <param name="read">Reads the fields of one.</param>
    public IReadOnlyList<T> Items<T>(string name, Func<YamlFields, T> read)
    {
        _asked.Add(name);
        if (!_node.Children.TryGetValue(name, out YamlNode? node))
        {
            return [];
        }

        if (node is not YamlSequenceNode list || list.Children.Any(static item => item is not YamlMappingNode))
        {
            Fault(name, "must be a list, each of its items with fields");
            return [];
        }

        return [.. list.Children.Select((item, index) => Inner($"{_path}{name}[{index}].", (YamlMappingNode)item, read))];
    }

    private T Inner<T>(string path, YamlMappingNode mapping, Func<YamlFields, T> read)
    {
        YamlFields inner = new(path, mapping, _faults);
        T value = read(inner);
        inner.Finish();
        return value;
    }

    private void Finish()
    {
        foreach (YamlNode key in _node.Children.Keys)
        {
            string name = (key as YamlScalarNode)?.Value ?? key.ToString();
            if (!_asked.Contains(name))
            {
                _faults.Add($"line {key.Start.Line}: {_path}{name} is unknown; known are {string.Join(", ", _asked.Order(StringComparer.Ordinal))}");
            }
        }
    }

    private long Line(string name) =>
        _node.Children.TryGetValue(name, out YamlNode? node) ? node.Start.Line : _node.Start.Line;
}
