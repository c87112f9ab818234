namespace Vks.Supervisor.Supervisors;

/// <summary>How a member is, as it last said.</summary>
internal sealed class MemberStatus
{
    /// <summary>Phase of a member that serves the API.</summary>
    public const string Running = "Running";

    /// <summary>Phase of a member that says that it does not serve the API.</summary>
    public const string NotReady = "NotReady";

    /// <summary>Phase of a member that says nothing any more.</summary>
    public const string Silent = "Silent";

    /// <summary>Its name.</summary>
    public string Name { get; set; } = "";

    /// <summary>The zone of its host.</summary>
    public string? Zone { get; set; }

    /// <summary>Its host.</summary>
    public string? Host { get; set; }

    /// <summary><see cref="Running"/>, <see cref="NotReady"/> or <see cref="Silent"/>.</summary>
    public string? Phase { get; set; }

    /// <summary>Its own address.</summary>
    public string? ManagementAddress { get; set; }

    /// <summary>The version of Kubernetes that it runs.</summary>
    public string? Version { get; set; }

    /// <summary>Its etcd: <c>leads</c>, <c>follows</c> or <c>does not serve</c>.</summary>
    public string? Etcd { get; set; }

    /// <summary>When the first of its certificates ends.</summary>
    public DateTime? CertificatesEnd { get; set; }

    /// <summary>It serves the API.</summary>
    public bool Ready { get; set; }

    /// <summary>Why it does not; null when it does.</summary>
    public string? Message { get; set; }
}
