using System.Globalization;
using System.Text.RegularExpressions;

namespace Vks.Supervisor.Rollouts;

/// <summary>A version of Kubernetes, <c>v1.20.2</c>; what follows the third number is left out.</summary>
/// <param name="Major">The first number.</param>
/// <param name="Minor">The second.</param>
/// <param name="Patch">The third.</param>
internal readonly partial record struct KubernetesVersion(int Major, int Minor, int Patch) : IComparable<KubernetesVersion>
{
    /// <summary>Reads one; null when it is none.</summary>
    /// <param name="text">The text.</param>
    public static KubernetesVersion? From(string text) =>
        Parts().Match(text) is { Success: true } match ? new KubernetesVersion(Number(match, 1), Number(match, 2), Number(match, 3)) : null;

    /// <inheritdoc/>
    public int CompareTo(KubernetesVersion other) => (Major, Minor, Patch).CompareTo((other.Major, other.Minor, other.Patch));

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"v{Major}.{Minor}.{Patch}");

    private static int Number(Match match, int group) => int.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^v?(\d{1,4})\.(\d{1,4})\.(\d{1,4})")]
    private static partial Regex Parts();
}
