namespace Vks.Supervisor.Namespaces;

/// <summary>One user or group and what they may do.</summary>
internal sealed class Permission
{
    /// <summary>May read.</summary>
    public const string View = "view";

    /// <summary>May change workloads.</summary>
    public const string Edit = "edit";

    /// <summary>May also say who may, and remove the namespace.</summary>
    public const string Owner = "owner";

    /// <summary><c>User</c> or <c>Group</c>.</summary>
    public string Kind { get; set; } = "User";

    /// <summary>As the API server knows them.</summary>
    public string Name { get; set; } = "";

    /// <summary><see cref="View"/>, <see cref="Edit"/> or <see cref="Owner"/>.</summary>
    public string Role { get; set; } = View;
}
