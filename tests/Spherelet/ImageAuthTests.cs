using System.Text;
using Grpc.Core;
using Vks.Spherelet.Cri;
using Vks.Spherelet.Images;
using Vks.Tests.Kit;
using V1 = Vks.Spherelet.Cri.V1;

namespace Vks.Tests.Spherelet;

/// <summary>Every way to log in to a registry, against one that asks for a password and one that asks for tokens of a service.</summary>
public sealed class ImageAuthTests
{
    private static readonly RegistryCredentials Anna = new() { Username = Registry.User, Password = Registry.Password };

    private static ImageBuilder Small => new ImageBuilder().Layer(new ImageBuilderTar().File("a", "content"));

    [Fact]
    public void Credentials_of_a_request_are_read_in_all_their_forms()
    {
        static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

        Assert.Null(ImageConversion.Credentials(null));
        Assert.Null(ImageConversion.Credentials(new V1.AuthConfig { ServerAddress = "a.example" }));
        Assert.Equal(new RegistryCredentials { Username = "u", Password = "p:q" }, ImageConversion.Credentials(new V1.AuthConfig { Auth = Base64("u:p:q\0\0") }));
        Assert.Equal(
            new RegistryCredentials { Username = "u", Password = "p", Registry = "a.example:5000" },
            ImageConversion.Credentials(new V1.AuthConfig { Username = "u", Password = "p", Auth = Base64("not:me"), ServerAddress = "https://A.example:5000/v2/" }));
        Assert.Equal(
            new RegistryCredentials { IdentityToken = "i", RegistryToken = "r", Registry = "docker.io" },
            ImageConversion.Credentials(new V1.AuthConfig { IdentityToken = "i", RegistryToken = "r", ServerAddress = "https://index.docker.io/v1/" }));
        foreach (string bad in new[] { "%%%", Base64("no colon") })
        {
            ImageException refused = Assert.Throws<ImageException>(() => ImageConversion.Credentials(new V1.AuthConfig { Auth = bad }));
            Assert.Equal(StatusCode.InvalidArgument, CriStatus.From(refused, false).StatusCode);
            Assert.DoesNotContain(bad, refused.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Credentials_for_one_registry_are_never_sent_to_another()
    {
        await using ImageLab lab = await ImageLab.StartAsync(asksPassword: true);
        await Small.PushAsync($"{lab.Registry.Host}/secret:1", "--dest-creds", $"{Registry.User}:{Registry.Password}");

        ImageException elsewhere = await lab.PullFailsAsync("secret:1", Anna with { Registry = "elsewhere.example" });
        Assert.Equal(ImageFault.Unauthorized, elsewhere.Fault);
        await lab.PullAsync("secret:1", Anna with { Registry = lab.Registry.Host });

        // By another name for the same place: a mirror gets the credentials that are meant for it, not those of the registry it stands for.
        lab.Options = lab.Options with
        {
            RegistriesConf = lab.Write("registries.conf", $"[[registry]]\nprefix = \"public.invalid\"\nlocation = \"{lab.Registry.Host}\"\ninsecure = true\n"),
        };
        lab.Reopen();
        await Assert.ThrowsAsync<ImageException>(() => lab.PullByNameAsync("public.invalid/secret:1", Anna));
        await lab.PullByNameAsync("public.invalid/secret:1", Anna with { Registry = lab.Registry.Host });
        Assert.Empty(Directory.EnumerateFiles(lab.Options.RuntimeDirectory, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task The_hosts_own_credentials_serve_pulls_without_any_and_give_way_to_those_of_a_request()
    {
        await using ImageLab lab = await ImageLab.StartAsync(asksPassword: true);
        await Small.PushAsync($"{lab.Registry.Host}/team/secret:1", "--dest-creds", $"{Registry.User}:{Registry.Password}");
        string auth = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{Registry.User}:{Registry.Password}"));
        lab.Options = lab.Options with
        {
            AuthFile = lab.Write("auth.json", $$$"""{"auths":{"{{{lab.Registry.Host}}}/team":{"auth":"{{{auth}}}"}},"credHelpers":{"other.example":"none"}}"""),
        };
        lab.Reopen();

        string id = await lab.PullAsync("team/secret:1");
        ImageException wrong = await lab.PullFailsAsync("team/secret:1", Anna with { Password = "wrong" });
        lab.Write("auth.json", $$"""{"auths":{"x":{"auth":"{{auth}}" oops""");
        ImageException broken = await lab.PullFailsAsync("team/secret:1");
        ImageException brokenToo = await lab.PullFailsAsync("team/secret:1", Anna);

        Assert.StartsWith("sha256:", id, StringComparison.Ordinal);
        Assert.Equal([ImageFault.Unauthorized, ImageFault.BadSettings, ImageFault.BadSettings], new[] { wrong.Fault, broken.Fault, brokenToo.Fault });
        Assert.All(new[] { wrong, broken, brokenToo }, fault => Assert.DoesNotContain(auth, fault.Message, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_registry_with_a_token_service_is_opened_by_password_and_by_refresh_token()
    {
        await using TokenService tokens = TokenService.Start();
        await using ImageLab lab = await ImageLab.StartAsync(tokens: tokens);
        await Small.PushAsync($"{lab.Registry.Host}/secret:1", "--dest-creds", $"{Registry.User}:{Registry.Password}");

        string[] before = tokens.Grants;
        ImageException anonymous = await lab.PullFailsAsync("secret:1");
        Assert.Equal(["anonymous"], tokens.Grants[before.Length..].Distinct());
        ImageException stale = await lab.PullFailsAsync("secret:1", new RegistryCredentials { IdentityToken = "stale" });
        ImageException wrong = await lab.PullFailsAsync("secret:1", Anna with { Password = "wrong" });

        before = tokens.Grants;
        string byPassword = await lab.PullAsync("secret:1", Anna);
        Assert.Equal(["password"], tokens.Grants[before.Length..].Distinct());
        await lab.Store.RemoveAsync(byPassword, ImageLab.Deadline);

        before = tokens.Grants;
        Assert.Equal(byPassword, await lab.PullAsync("secret:1", new RegistryCredentials { IdentityToken = TokenService.RefreshToken }));
        Assert.Equal(["refresh"], tokens.Grants[before.Length..].Distinct());
        Assert.All(new[] { anonymous, stale, wrong }, fault => Assert.Equal(ImageFault.Unauthorized, fault.Fault));
        Assert.DoesNotContain("stale", stale.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_bearer_token_is_sent_as_it_is_and_shows_on_no_command_line()
    {
        await using TokenService tokens = TokenService.Start();
        await using ImageLab lab = await ImageLab.StartAsync(tokens: tokens);
        ImageBuilder image = new ImageBuilder().RandomLayer("big", 20_000_000);
        await image.PushAsync($"{lab.Registry.Host}/secret:1", "--dest-creds", $"{Registry.User}:{Registry.Password}");
        int granted = tokens.Grants.Length;
        string token = tokens.Issue("repository:secret:pull");
        string other = tokens.Issue("repository:other:pull");

        ImageException useless = await lab.PullFailsAsync("secret:1", new RegistryCredentials { RegistryToken = other });
        ImageException elsewhere = await lab.PullFailsAsync("secret:1", new RegistryCredentials { RegistryToken = token, Registry = "elsewhere.example" });
        Task<string> pull = lab.PullAsync("secret:1", new RegistryCredentials { RegistryToken = token });
        (string commandLines, UnixFileMode? mode) = await lab.WatchAsync(pull);

        Assert.Equal(image.ImageId, await pull);
        Assert.Equal([$"{lab.Registry.Host}/secret:1"], (await lab.Store.FindAsync(image.ImageId, ImageLab.Deadline))!.RepoTags);
        Assert.Contains("skopeo", commandLines, StringComparison.Ordinal);
        Assert.DoesNotContain(token, commandLines, StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, mode);
        Assert.Equal((ImageFault.Unauthorized, ImageFault.Unauthorized), (useless.Fault, elsewhere.Fault));
        Assert.Equal(["anonymous"], tokens.Grants[granted..].Distinct());
        Assert.Empty(Directory.EnumerateFiles(lab.Options.RuntimeDirectory, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task A_registry_with_a_certificate_of_an_own_authority_is_trusted_once_the_authority_is()
    {
        using TestAuthority authority = new();
        await using TokenService tokens = TokenService.Start();
        await using ImageLab lab = await ImageLab.StartAsync(tokens: tokens, authority: authority);
        await Small.PushAsync($"{lab.Registry.Host}/tls:1", "--dest-creds", $"{Registry.User}:{Registry.Password}");
        lab.Options = lab.Options with
        {
            RegistriesConf = lab.Write("registries.conf", $"[[registry]]\nprefix = \"tls.invalid\"\nlocation = \"{lab.Registry.Host}\"\n"),
        };
        lab.Reopen();
        RegistryCredentials there = Anna with { Registry = lab.Registry.Host };

        ImageException unknown = await Assert.ThrowsAsync<ImageException>(() => lab.PullByNameAsync("tls.invalid/tls:1", there));
        using TestAuthority stranger = new();
        lab.Write($"certs.d/{lab.Registry.Host}/ca.crt", stranger.CertificatePem);
        lab.Options = lab.Options with { CertificateDirectory = Path.Combine(lab.Folder, "settings", "certs.d") };
        lab.Reopen();
        ImageException untrusted = await lab.PullFailsAsync("tls:1", Anna);
        ImageException untrustedToo = await lab.PullFailsAsync("tls:1", new RegistryCredentials { RegistryToken = tokens.Issue("repository:tls:pull") });
        lab.Write($"certs.d/{lab.Registry.Host}/ca.crt", authority.CertificatePem);

        string id = await lab.PullByNameAsync("tls.invalid/tls:1", there);
        await lab.Store.RemoveAsync(id, ImageLab.Deadline);
        Assert.Equal(id, await lab.PullAsync("tls:1", new RegistryCredentials { RegistryToken = tokens.Issue("repository:tls:pull") }));
        Assert.All(new[] { unknown, untrusted, untrustedToo }, fault => Assert.Equal(ImageFault.RegistryUnavailable, fault.Fault));
        Assert.Contains("x509", unknown.Message, StringComparison.Ordinal);
    }
}
