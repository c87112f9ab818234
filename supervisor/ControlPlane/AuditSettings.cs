namespace Vks.Supervisor.ControlPlane;

/// <summary>How long kube-apiserver keeps its audit log. It is always on.</summary>
/// <param name="MaxAgeDays">Days an old file is kept; default 30.</param>
/// <param name="MaxBackups">Old files kept; default 10.</param>
/// <param name="MaxSizeMiB">Size at which a new file is begun; default 100.</param>
internal sealed record AuditSettings(int MaxAgeDays, int MaxBackups, int MaxSizeMiB);
