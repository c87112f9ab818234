using CliWrap;
using CliWrap.Buffered;

namespace Vks.Tests.Spherelet;

/// <summary>A fresh key of GnuPG with a folder of its own, and signatures by it in a folder beside an image lab's store.</summary>
internal sealed class GpgSigner : IAsyncDisposable
{
    private readonly Dictionary<string, string?> _environment;
    private readonly string _settings;

    private GpgSigner(string home, string settings)
    {
        _settings = settings;
        _environment = new Dictionary<string, string?> { ["GNUPGHOME"] = home };
        Home = home;
    }

    /// <summary>GnuPG's folder; short, since its agent has a socket there.</summary>
    public string Home { get; }

    public static async Task<GpgSigner> CreateAsync(ImageLab lab)
    {
        string home = Directory.CreateTempSubdirectory("vks-gpg-").FullName;
        GpgSigner signer = new(home, Path.GetDirectoryName(lab.Write("registries.d/default.yaml", $"default-docker:\n  lookaside: file://{lab.Folder}/settings/signatures\n"))!);
        await signer.RunAsync("gpg", "--batch", "--passphrase", "", "--quick-gen-key", "anna@example.org", "ed25519", "sign", "never");
        await signer.RunAsync("gpg", "--batch", "--armor", "--output", Path.Combine(home, "anna.asc"), "--export", "anna@example.org");
        return signer;
    }

    /// <summary>The lab's store asks for this key's signature on all images of a registry.</summary>
    public void Require(ImageLab lab, string host)
    {
        string policy = $$"""
            {"default":[{"type":"reject"}],
             "transports":{"docker":{"{{host}}":[{"type":"signedBy","keyType":"GPGKeys","keyPath":"{{Home}}/anna.asc"}]}
             }
            }
            """;
        lab.Options = lab.Options with { SignaturePolicy = lab.Write("policy.json", policy), SignatureDirectory = _settings };
        lab.Reopen();
    }

    /// <summary>Copies an image under another tag, and signs it.</summary>
    public Task SignAsync(string source, string target) => RunAsync(
        "skopeo", "--insecure-policy", "--registries.d", _settings, "copy", "--src-tls-verify=false", "--dest-tls-verify=false",
        "--sign-by", "anna@example.org", $"docker://{source}", $"docker://{target}");

    public async ValueTask DisposeAsync()
    {
        await RunAsync("gpgconf", "--kill", "all");
        Directory.Delete(Home, recursive: true);
    }

    private async Task RunAsync(string program, params string[] arguments)
    {
        BufferedCommandResult result = await Cli.Wrap(program).WithArguments(arguments).WithEnvironmentVariables(_environment)
            .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(ImageLab.Deadline);
        Assert.True(result.IsSuccess, $"{program} {string.Join(' ', arguments)} ended with {result.ExitCode}: {result.StandardError}");
    }
}
