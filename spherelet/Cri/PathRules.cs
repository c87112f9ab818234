using System.Text;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

/// <summary>What a path in a request must be.</summary>
internal static class PathRules
{
    /// <summary>Less than the kernel's limit of 4095 (path_resolution(7)), because what is asked for lies below folders of ours.</summary>
    private const int MaxPathBytes = 3072;

    private const int MaxNameBytes = 255;

    /// <summary>An absolute path without <c>..</c>.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>.</exception>
    public static string Absolute(string path, string field) =>
        path.StartsWith('/') && IsClean(path) ? path : throw Invalid(path, field, "must be an absolute path without '..'");

    /// <summary>A relative path that does not lead out of where it begins.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>.</exception>
    public static string Relative(string path, string field) =>
        path.Length > 0 && !path.StartsWith('/') && IsClean(path) ? path : throw Invalid(path, field, "must be a relative path without '..'");

    private static bool IsClean(string path) =>
        !path.Contains('\0', StringComparison.Ordinal)
        && path.Length <= MaxPathBytes
        && Encoding.UTF8.GetByteCount(path) <= MaxPathBytes
        && !path.Split('/').Any(static part => part == ".." || Encoding.UTF8.GetByteCount(part) > MaxNameBytes);

    private static PodException Invalid(string path, string field, string rule) =>
        new(PodFault.InvalidConfig, path, $"{field} is '{InfoText.Shorten(path)}'; it {rule}, of at most {MaxPathBytes} bytes and {MaxNameBytes} in each name.");
}
