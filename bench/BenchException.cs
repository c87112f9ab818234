namespace Vks.Bench;

/// <summary>The benchmark cannot go on: the message says what was tried, what came back and what to do.</summary>
internal sealed class BenchException(string message, Exception? cause = null) : Exception(message, cause);
