namespace Vks.Spherelet.Nri;

/// <summary>Where plugins come from and how long they may take.</summary>
internal sealed record NriOptions
{
    /// <summary>The socket that plugins connect to, or empty for none.</summary>
    public required string Socket { get; init; }

    /// <summary>Programs that are started with the daemon; a folder that is not there has none.</summary>
    public required string PluginDirectory { get; init; }

    /// <summary>Their settings, <c>NN-NAME.conf</c> or <c>NAME.conf</c>.</summary>
    public required string PluginConfigDirectory { get; init; }

    /// <summary>From the connection to the registration, and for taking in all pods and containers.</summary>
    public required TimeSpan RegistrationTimeout { get; init; }

    /// <summary>For the answer to one call.</summary>
    public required TimeSpan RequestTimeout { get; init; }
}
