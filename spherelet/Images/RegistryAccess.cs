namespace Vks.Spherelet.Images;

/// <summary>How the registry tool gets at a registry for one pull: files that it is given, for as long as it needs them.</summary>
internal sealed class RegistryAccess : IAsyncDisposable
{
    private readonly RegistryAuthFile? _written;
    private readonly BearerRelay? _relay;

    private RegistryAccess(ImageStoreOptions options, RegistryAuthFile? written, BearerRelay? relay)
    {
        (_written, _relay) = (written, relay);
        AuthFile = written?.FilePath ?? options.AuthFile;
        RegistriesConf = options.RegistriesConf;
    }

    /// <summary>An auth.json, or null for where the tool looks by itself.</summary>
    public string? AuthFile { get; }

    /// <summary>A registries.conf, or null for the host's.</summary>
    public string? RegistriesConf { get; private init; }

    /// <summary>The way of all pulls: with a user's credentials if there are any, else with those of the host.</summary>
    /// <exception cref="ImageException"><see cref="ImageFault.BadSettings"/>: the host's credentials cannot be read.</exception>
    public static RegistryAccess Open(ImageStoreOptions options, ImageReference image, RegistryCredentials? credentials)
    {
        bool named = credentials is not null && (credentials.Username + credentials.Password + credentials.IdentityToken).Length > 0;
        return new RegistryAccess(options, named ? RegistryAuthFile.Write(options.RuntimeDirectory, options.AuthFile, image, credentials!) : null, relay: null);
    }

    /// <summary>The way with a bearer token: through a relay that adds it. Mirrors are not asked.</summary>
    public static async Task<RegistryAccess> OpenWithTokenAsync(
        ImageStoreOptions options, ImageReference image, string token, CancellationToken cancellationToken)
    {
        BearerRelay relay = await BearerRelay.StartAsync(image, token, options.CertificateDirectory, cancellationToken);
        try
        {
            RegistryAuthFile auth = RegistryAuthFile.Write(options.RuntimeDirectory, hostFile: null, image, relay.Credentials);
            string conf = auth.FilePath + ".conf";
            await File.WriteAllTextAsync(conf, $"[[registry]]\nprefix = \"{image.Name}\"\nlocation = \"{relay.Host}/{image.Path}\"\ninsecure = true\n", cancellationToken);
            return new RegistryAccess(options, auth, relay) { RegistriesConf = conf };
        }
        catch
        {
            await relay.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _written?.Dispose();
        if (_relay is not null)
        {
            File.Delete(RegistriesConf!);
            await _relay.DisposeAsync();
        }
    }
}
