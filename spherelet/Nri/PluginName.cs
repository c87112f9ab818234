namespace Vks.Spherelet.Nri;

/// <summary>A plugin's name with its place among the others. The rules are upstream's (containerd/nri, pkg/api/plugin.go).</summary>
/// <param name="Index">Two digits; plugins are called in their order.</param>
/// <param name="Base">Letters, digits and <c>-_.+</c>.</param>
internal sealed record PluginName(string Index, string Base)
{
    /// <summary>Reads <c>NN-NAME</c>, as a plugin's file is called.</summary>
    /// <returns>Null when it is no such name.</returns>
    public static PluginName? Parse(string name) =>
        name.Split('-', 2) is [{ } index, { } rest] && IsIndex(index) && IsBase(rest) ? new PluginName(index, rest) : null;

    /// <summary>Takes what a plugin says of itself.</summary>
    /// <exception cref="TtrpcException"><see cref="TtrpcCode.InvalidArgument"/>: index or name break a rule.</exception>
    public static PluginName Check(string index, string name) =>
        !IsIndex(index) ? throw Invalid($"'{index}' is no plugin index: two digits are expected")
        : !IsBase(name) ? throw Invalid($"'{name}' is no plugin name: letters, digits and - _ . + are expected")
        : new PluginName(index, name);

    /// <summary><c>NN-NAME</c>.</summary>
    public override string ToString() => $"{Index}-{Base}";

    private static bool IsIndex(string text) => text.Length == 2 && text.All(char.IsAsciiDigit);

    private static bool IsBase(string text) => text.Length is > 0 and <= 256 && text.All(static letter => char.IsAsciiLetterOrDigit(letter) || "-_.+".Contains(letter, StringComparison.Ordinal));

    private static TtrpcException Invalid(string message) => new(TtrpcCode.InvalidArgument, message, isFatal: false);
}
