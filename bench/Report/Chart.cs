namespace Vks.Bench.Report;

/// <summary>One picture of the report.</summary>
/// <param name="Title">What it shows.</param>
/// <param name="Note">How to read it.</param>
/// <param name="Svg">The picture.</param>
internal sealed record Chart(string Title, string Note, string Svg);
