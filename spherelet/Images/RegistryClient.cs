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
    /// <returns>The manifest as it was copied: an OCI one, which docker's kind is turned into.</returns>
    /// <exception cref="ImageException">The registry's answer, the policy's, or a full disk.</exception>
    public async Task<byte[]> CopyBlobsAsync(ImageReference image, RegistryCredentials? credentials, CancellationToken cancellationToken)
    {
        // Each copy has an index of its own; what is half fetched lies beside it.
        string layout = directory.NewTemporary("pull");
        Directory.CreateDirectory(layout);
        try
        {
            using RegistryAuthFile? auth = WriteAuth(image, credentials);
            List<string> arguments =
            [
                .. GlobalArguments(layout), "copy", "--retry-times", "0", "--dest-shared-blob-dir", directory.BlobsRoot,
                "--dest-oci-accept-uncompressed-layers", "--remove-signatures",
            ];
            AddAccess(arguments, "src-", image, auth);
            arguments.Add($"docker://{image}");
            arguments.Add($"oci:{layout}");
            HostToolResult result = await RunAsync(arguments, line => Progress(image, line), cancellationToken);
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

    private async Task<byte[]> InspectAsync(
        ImageReference image, RegistryCredentials? credentials, string[] what, CancellationToken cancellationToken)
    {
        using RegistryAuthFile? auth = WriteAuth(image, credentials);
        List<string> arguments = [.. GlobalArguments(directory.TemporaryRoot), "inspect", .. what];
        AddAccess(arguments, "", image, auth);
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

    private RegistryAuthFile? WriteAuth(ImageReference image, RegistryCredentials? credentials) =>
        credentials is null ? null : RegistryAuthFile.Write(options.RuntimeDirectory, image, credentials);

    private List<string> GlobalArguments(string temporary)
    {
        List<string> arguments = ["--tmpdir", temporary, "--policy", _policy.FilePath()];
        if (options.RegistriesConf is not null)
        {
            arguments.AddRange(["--registries-conf", options.RegistriesConf]);
        }

        if (options.SignatureDirectory is not null)
        {
            arguments.AddRange(["--registries.d", options.SignatureDirectory]);
        }

        return arguments;
    }

    private static void AddAccess(List<string> arguments, string prefix, ImageReference image, RegistryAuthFile? auth)
    {
        if (auth is not null)
        {
            arguments.AddRange([$"--{prefix}authfile", auth.FilePath]);
        }

        if (image.IsLoopback)
        {
            arguments.Add($"--{prefix}tls-verify=false");
        }
    }

    private static Task<HostToolResult> RunAsync(List<string> arguments, Action<string>? onLine, CancellationToken cancellationToken) =>
        HostTool.RunAsync(Cli.Wrap("skopeo").WithArguments(arguments), "skopeo", onLine, cancellationToken);

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
