namespace Vks.Spherelet.Overhead;

/// <summary>The Node could not be annotated.</summary>
internal sealed class NodeNotesException(string message, Exception? cause = null) : Exception(message, cause);
