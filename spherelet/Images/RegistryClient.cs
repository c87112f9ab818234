using System.Text.Json;
using CliWrap;
using Vks.Spherelet.Node;

namespace Vks.Spherelet.Images;

/// <summary>Talks to registries through Debian's skopeo, which knows mirrors, certificates, tokens and registries.conf.</summary>
internal sealed partial class RegistryClient(ImageStoreOptions options, ImageDirectory directory, TimeProvider time, ILogger<RegistryClient> logger)
{
    private readonly SignaturePolicy _policy = new(options.SignaturePolicy, directory);

    /// <summary>Every image is accepted, so that nothing is lost by not asking the policy again for one whose blobs are here.</summary>
    public bool AcceptsEverything => _policy.AcceptsEverything();

    /// <summary>Fetches a manifest or index as the registry has it, byte for byte.</summary>
    /// <exception cref="ImageException">The registry's answer, or silence.</exception>
    public Task<byte[]> GetManifestAsync(ImageReference image, RegistryCredentials? credentials, CancellationToken cancellationToken) =>
        InspectAsync(image, credentials, ["--raw"], cancellationToken);

    /// <summary>Fetches an image config, byte for byte.</summary>
    /// <exception cref="ImageException">The registry's answer, or silence.</exception>
    public Task<byte[]> GetConfigAsync(ImageReference image, RegistryCredentials? credentials, CancellationToken cancellationToken) =>
        InspectAsync(image, credentials, ["--config", "--raw"], cancellationToken);

    /// <summary>Copies an image's blobs into the store's shared blobs, if the signature policy accepts it; those that are there are not fetched again.</summary>
    /// <param name="image">The image.</param>
    /// <param name="layers">Its layers.</param>
    /// <param name="credentials">How to log in, or null.</param>
    /// <param name="cancellationToken">Ends the copy.</param>
    /// <returns>The manifest as it was copied: an OCI one, which docker's kind is turned into.</returns>
    /// <exception cref="ImageException">The registry's answer or silence, the policy's, or a full disk.</exception>
    public Task<byte[]> CopyBlobsAsync(
        ImageReference image, IReadOnlyList<DescriptorDocument> layers, RegistryCredentials? credentials, CancellationToken cancellationToken) =>
        WithAccessAsync(image, credentials, access => CopyAsync(image, layers, access, cancellationToken), cancellationToken);

    private Task<byte[]> InspectAsync(ImageReference image, RegistryCredentials? credentials, string[] what, CancellationToken cancellationToken) =>
        WithAccessAsync(image, credentials, access => InspectOnceAsync(image, what, access, cancellationToken), cancellationToken);

    /// <summary>Asks the way that registries.conf says first, also with a bearer token: only there it shows that a registry is blocked.</summary>
    private async Task<T> WithAccessAsync<T>(
        ImageReference image, RegistryCredentials? credentials, Func<RegistryAccess, Task<T>> ask, CancellationToken cancellationToken)
    {
        string token = credentials?.RegistryToken ?? "";
        bool ours = credentials is null or { Registry: "" } || credentials.Registry == image.Registry;
        await using (RegistryAccess access = RegistryAccess.Open(options, image, credentials))
        {
            try
            {
                return await ask(access);
            }
            catch (ImageException e) when (e.Fault == ImageFault.Unauthorized && token.Length > 0 && ours)
            {
                // Now with the token.
            }
        }

        await using RegistryAccess withToken = await RegistryAccess.OpenWithTokenAsync(options, image, token, cancellationToken);
        return await ask(withToken);
    }

    private async Task<byte[]> CopyAsync(
        ImageReference image, IReadOnlyList<DescriptorDocument> layers, RegistryAccess access, CancellationToken cancellationToken)
    {
        // Each copy has an index of its own; what is half fetched lies beside it.
        string layout = directory.NewTemporary("pull");
        Directory.CreateDirectory(layout);
        try
        {
            List<string> arguments =
            [
                .. GlobalArguments(layout, access), "copy", "--retry-times", "0", "--dest-shared-blob-dir", directory.BlobsRoot,
                "--dest-oci-accept-uncompressed-layers", "--remove-signatures",
            ];
            AddAccess(arguments, "src-", image, access);
            arguments.Add($"docker://{image}");
            arguments.Add($"oci:{layout}");
            PullProgress progress = new(image, layers, directory, layout, options, time, logger);
            HostToolResult result = await progress.WatchAsync(token => RunAsync(arguments, line => Progress(image, line), token), cancellationToken);
            if (result.ExitCode != 0)
            {
                throw Failed(image, "copying its layers", result);
            }

            byte[] index = await File.ReadAllBytesAsync(Path.Combine(layout, "index.json"), cancellationToken);
            ManifestDocument? copied = JsonSerializer.Deserialize(index, ImageJson.Default.ManifestDocument);
            return await File.ReadAllBytesAsync(directory.Blob(copied!.Manifests![0].Digest!), cancellationToken);
        }
        finally
        {
            Directory.Delete(layout, recursive: true);
        }
    }

    private async Task<byte[]> InspectOnceAsync(ImageReference image, string[] what, RegistryAccess access, CancellationToken cancellationToken)
    {
        List<string> arguments = [.. GlobalArguments(directory.TemporaryRoot, access), "inspect", .. what];
        AddAccess(arguments, "", image, access);
        arguments.Add($"docker://{image}");
        using CancellationTokenSource timeout = new(options.ManifestTimeout, time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            HostToolResult result = await RunAsync(arguments, onLine: null, either.Token);
            return result.ExitCode == 0 ? result.Output : throw Failed(image, "asking for its manifest", result);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ImageException(
                ImageFault.RegistryUnavailable,
                image.ToString(),
                $"Could not pull {image}: {image.Registry} did not answer within {options.ManifestTimeout.TotalSeconds:0} s. {RegistryFault.Advice(ImageFault.RegistryUnavailable)}",
                e);
        }
    }

    private List<string> GlobalArguments(string temporary, RegistryAccess access)
    {
        List<string> arguments = ["--tmpdir", temporary, "--policy", _policy.FilePath()];
        if (access.RegistriesConf is not null)
        {
            arguments.AddRange(["--registries-conf", access.RegistriesConf]);
        }

        if (options.SignatureDirectory is not null)
        {
            arguments.AddRange(["--registries.d", options.SignatureDirectory]);
        }

        return arguments;
    }

    private void AddAccess(List<string> arguments, string prefix, ImageReference image, RegistryAccess access)
    {
        if (access.AuthFile is not null)
        {
            arguments.AddRange([$"--{prefix}authfile", access.AuthFile]);
        }

        if (RegistryTrust.IsTakenAsItIs(image, options.CertificateDirectory))
        {
            arguments.Add($"--{prefix}tls-verify=false");
        }
    }

    private Task<HostToolResult> RunAsync(List<string> arguments, Action<string>? onLine, CancellationToken cancellationToken)
    {
        Command command = Cli.Wrap("skopeo").WithArguments(arguments);
        if (options.CertificateDirectory is not null)
        {
            string home = MakeHome(options.CertificateDirectory);
            command = command.WithEnvironmentVariables(environment => environment.Set("HOME", home));
        }

        return HostTool.RunAsync(command, "skopeo", onLine, cancellationToken);
    }

    /// <summary>A home whose certs.d is the folder given: the tool has no flag for one, but looks there before it looks in /etc.</summary>
    private string MakeHome(string certificates)
    {
        string home = Path.Combine(RegistryAuthFile.Folder(options.RuntimeDirectory), "home");
        string link = Path.Combine(home, ".config", "containers", "certs.d");
        Directory.CreateDirectory(Path.GetDirectoryName(link)!);
        try
        {
            Directory.CreateSymbolicLink(link, certificates);
        }
        catch (IOException) when (Directory.Exists(link))
        {
            // An earlier pull made it; the folder is emptied when the store opens.
        }

        return home;
    }

    private ImageException Failed(ImageReference image, string doing, HostToolResult result)
    {
        ImageFault fault = RegistryFault.Of(result.Errors, image);
        return fault == ImageFault.NoSpace
            ? StoreSpace.Exhausted(image.ToString(), doing, directory.BlobsRoot)
            : new ImageException(
                fault,
                image.ToString(),
                $"Could not pull {image}: {doing} failed: skopeo ended with code {result.ExitCode}: {Shorten(result.Errors)}. {RegistryFault.Advice(fault)}");
    }

    // The tool's last line is its reason, in a log form: time="…" level=fatal msg="…".
    private static string Shorten(string errors)
    {
        string line = errors.Split('\n')[^1].Trim();
        int message = line.IndexOf("msg=\"", StringComparison.Ordinal);
        return message < 0 ? line : line[(message + 5)..].TrimEnd('"').Replace("\\\"", "\"", StringComparison.Ordinal);
    }

    [LoggerMessage(3201, LogLevel.Debug, "Pulling {Image}: {Line}")]
    private partial void Progress(ImageReference image, string line);
}
