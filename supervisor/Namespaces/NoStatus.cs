namespace Vks.Supervisor.Namespaces;

/// <summary>Of objects that nothing is reported about.</summary>
internal sealed class NoStatus;
