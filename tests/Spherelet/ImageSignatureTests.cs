using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Grpc.Core;
using Vks.Spherelet.Cri;
using Vks.Spherelet.Images;
using Vks.Tests.Kit;

namespace Vks.Tests.Spherelet;

/// <summary>policy.json: whose signature an image must have, with real keys and the real tools.</summary>
public sealed class ImageSignatureTests
{
    [Fact]
    public async Task With_a_policy_only_an_image_that_the_key_signed_under_its_name_is_pulled()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        await using GpgSigner signer = await GpgSigner.CreateAsync(lab);
        string host = lab.Registry.Host;
        ImageBuilder image = new ImageBuilder().Layer(new ImageBuilderTar().File("a", "1"));
        await image.PushAsync($"{host}/app:unsigned-first");
        string id = await lab.PullAsync("app:unsigned-first");
        signer.Require(lab, $"{host}");
        await new ImageBuilder().Layer(new ImageBuilderTar().File("b", "2")).PushAsync($"{host}/app:unsigned");
        await image.PushAsync($"{host}/app:plain");
        await signer.SignAsync($"{host}/app:plain", $"{host}/app:signed");

        ImageException unsigned = await lab.PullFailsAsync("app:unsigned");
        Assert.Equal((ImageFault.SignatureRejected, StatusCode.PermissionDenied), (unsigned.Fault, CriStatus.From(unsigned, false).StatusCode));
        Assert.StartsWith("SignatureValidationFailed: ", CriStatus.From(unsigned, false).Detail, StringComparison.Ordinal);
        Assert.Contains("app:unsigned", unsigned.Message, StringComparison.Ordinal);

        // Its blobs are all here, and the same content is signed under another tag: the name itself was never signed.
        Assert.Equal(ImageFault.SignatureRejected, (await lab.PullFailsAsync("app:plain")).Fault);
        Assert.Equal(id, await lab.PullAsync("app:signed"));
        Assert.Equal(id, await lab.PullByNameAsync($"{host}/app@{image.ManifestDigest}"));
        Assert.Equal([$"{host}/app:unsigned-first", $"{host}/app:signed"], (await lab.Store.FindAsync(id, ImageLab.Deadline))!.RepoTags);
    }

    [Fact]
    public async Task A_signed_image_in_dockers_format_is_pulled_and_a_policy_that_trusts_nobody_refuses_it()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        await using GpgSigner signer = await GpgSigner.CreateAsync(lab);
        string host = lab.Registry.Host;
        await new ImageBuilder { RunConfig = { ["Cmd"] = new JsonArray("/bin/x") } }.Layer(new ImageBuilderTar().File("a", "1")).PushAsDockerAsync($"{host}/d:plain");
        await signer.SignAsync($"{host}/d:plain", $"{host}/d:1");
        signer.Require(lab, host);

        string id = await lab.PullAsync("d:1");
        lab.Options = lab.Options with { SignaturePolicy = lab.Write("reject.json", """{"default":[{"type":"reject"}]}""") };
        lab.Reopen();
        ImageException refused = await lab.PullFailsAsync("d:1");
        lab.Options = lab.Options with { SignaturePolicy = lab.Write("broken.json", "{") };
        lab.Reopen();
        ImageException broken = await lab.PullFailsAsync("d:1");

        Assert.Equal(["/bin/x"], (await lab.Store.ResolveAsync(id, ImageLab.Deadline)).Config.Cmd);
        Assert.Equal((ImageFault.SignatureRejected, ImageFault.BadSettings), (refused.Fault, broken.Fault));
    }

    /// <summary>Debian 12 builds its registry tool without sigstore: then such a policy refuses everything, which is what matters.</summary>
    [Fact]
    public async Task A_policy_that_asks_for_a_sigstore_signature_takes_no_image_with_another()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        string host = lab.Registry.Host;
        ImageBuilder good = new ImageBuilder().Layer(new ImageBuilderTar().File("a", "1"));
        ImageBuilder forged = new ImageBuilder().Layer(new ImageBuilderTar().File("a", "2"));
        await good.PushAsync($"{host}/s:good");
        await forged.PushAsync($"{host}/s:forged");
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using ECDsa other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        await AttachAsync(key, $"{host}/s", "good", good.ManifestDigest);
        await AttachAsync(other, $"{host}/s", "forged", forged.ManifestDigest);
        string publicKey = lab.Write("cosign.pub", key.ExportSubjectPublicKeyInfoPem() + "\n");
        lab.Write("registries.d/default.yaml", $"docker:\n  \"{host}\":\n    use-sigstore-attachments: true\n");
        lab.Options = lab.Options with
        {
            SignaturePolicy = lab.Write("policy.json", "{\"default\":[{\"type\":\"sigstoreSigned\",\"keyPath\":\"" + publicKey + "\"}]}"),
            SignatureDirectory = Path.Combine(lab.Folder, "settings", "registries.d"),
        };
        lab.Reopen();

        Assert.Equal(ImageFault.SignatureRejected, (await lab.PullFailsAsync("s:forged")).Fault);
        try
        {
            Assert.Equal(good.ImageId, await lab.PullAsync("s:good"));
        }
        catch (ImageException e)
        {
            Assert.Equal(ImageFault.SignatureRejected, e.Fault);
            Assert.Contains("sigstore disabled", e.Message, StringComparison.Ordinal);
        }
    }

    /// <summary>Pushes a signature as the sigstore tools lay it out: an image whose layer is what was signed.</summary>
    private static async Task AttachAsync(ECDsa key, string repository, string tag, string digest)
    {
        byte[] payload = Encoding.UTF8.GetBytes(new JsonObject
        {
            ["critical"] = new JsonObject
            {
                ["identity"] = new JsonObject { ["docker-reference"] = $"{repository}:{tag}" },
                ["image"] = new JsonObject { ["docker-manifest-digest"] = digest },
                ["type"] = "cosign container image signature",
            },
            ["optional"] = new JsonObject(),
        }.ToJsonString());
        string signature = Convert.ToBase64String(key.SignData(payload, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence));
        await ImageBuilder.PushArtifactAsync(
            $"{repository}:{digest.Replace(':', '-')}.sig", "application/vnd.dev.cosign.simplesigning.v1+json", payload, ("dev.cosignproject.cosign/signature", signature));
    }
}
