namespace Vks.Supervisor.ControlPlane;

/// <summary>An OpenID Connect provider whose tokens kube-apiserver takes.</summary>
internal sealed record OidcSettings
{
    /// <summary>The provider's URL, https.</summary>
    public required string IssuerUrl { get; init; }

    /// <summary>The audience that tokens must name.</summary>
    public required string ClientId { get; init; }

    /// <summary>The claim that is the user's name; default <c>sub</c>.</summary>
    public required string UsernameClaim { get; init; }

    /// <summary>What names are prefixed with; default <c>oidc:</c>, so that nobody is called <c>system:…</c> by a provider.</summary>
    public required string UsernamePrefix { get; init; }

    /// <summary>The claim that lists the user's groups, or empty.</summary>
    public required string GroupsClaim { get; init; }

    /// <summary>What groups are prefixed with; default <c>oidc:</c>.</summary>
    public required string GroupsPrefix { get; init; }

    /// <summary>The provider's authority as a PEM file, or empty for the host's own.</summary>
    public required string CaFile { get; init; }
}
