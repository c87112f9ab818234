using Grpc.Core;
using Vks.Spherelet.Cri;
using Vks.Spherelet.Images;
using Vks.Tests.Kit;

namespace Vks.Tests.Spherelet;

/// <summary>Names of registries that are elsewhere: registries.conf with locations, mirrors and blocked registries.</summary>
public sealed class ImageMirrorTests
{
    [Fact]
    public async Task An_image_of_a_public_registry_comes_from_where_registries_conf_says_and_keeps_its_public_name()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        ImageBuilder image = new ImageBuilder().Layer(new ImageBuilderTar().File("a", "1"));
        await image.PushAsync($"{lab.Registry.Host}/e2e-test-images/busybox:1.29-2");
        await image.PushAsync($"{lab.Registry.Host}/hub/library/busybox:latest");
        Use(lab, $"""
            [[registry]]
            prefix = "registry.k8s.invalid"
            location = "{lab.Registry.Host}"
            insecure = true

            [[registry]]
            prefix = "docker.io"
            location = "{lab.Registry.Host}/hub"
            insecure = true
            """);

        string id = await lab.PullByNameAsync("registry.k8s.invalid/e2e-test-images/busybox:1.29-2");
        await lab.PullByNameAsync($"registry.k8s.invalid/e2e-test-images/busybox@{image.ManifestDigest}");
        await lab.PullByNameAsync("busybox");

        ImageSummary found = (await lab.Store.ListAsync("", ImageLab.Deadline)).Single();
        Assert.Equal(image.ImageId, id);
        Assert.Equal(["docker.io/library/busybox:latest", "registry.k8s.invalid/e2e-test-images/busybox:1.29-2"], found.RepoTags.Order(StringComparer.Ordinal));
        Assert.Equal(
            [$"docker.io/library/busybox@{image.ManifestDigest}", $"registry.k8s.invalid/e2e-test-images/busybox@{image.ManifestDigest}"],
            found.RepoDigests.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Mirrors_are_asked_in_order_and_one_that_is_down_or_lacks_the_image_is_passed_over()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        await using Registry empty = await Registry.StartAsync();
        await new ImageBuilder().Layer(new ImageBuilderTar().File("a", "1")).PushAsync($"{lab.Registry.Host}/copy/app:1");
        Use(lab, $"""
            [[registry]]
            location = "registry.example.invalid"

            [[registry.mirror]]
            location = "127.0.0.1:1"
            insecure = true

            [[registry.mirror]]
            location = "{empty.Host}"
            insecure = true

            [[registry.mirror]]
            location = "{lab.Registry.Host}/copy"
            insecure = true
            """);

        string id = await lab.PullByNameAsync("registry.example.invalid/app:1");

        Assert.Equal(["registry.example.invalid/app:1"], (await lab.Store.FindAsync(id, ImageLab.Deadline))!.RepoTags);
        Assert.NotEqual(0, empty.Log.Split('\n').Count(line => line.Contains("manifests/1", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_blocked_registry_is_not_asked_and_a_broken_file_is_told()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        await new ImageBuilder().Layer(new ImageBuilderTar().File("a", "1")).PushAsync($"{lab.Registry.Host}/a:1");
        Use(lab, $"[[registry]]\nlocation = \"{lab.Registry.Host}\"\nblocked = true\n");

        ImageException blocked = await lab.PullFailsAsync("a:1");
        lab.Write("registries.conf", "[[registry]\n");
        ImageException broken = await lab.PullFailsAsync("a:1");

        Assert.Equal((ImageFault.Blocked, StatusCode.PermissionDenied), (blocked.Fault, CriStatus.From(blocked, false).StatusCode));
        Assert.Equal((ImageFault.BadSettings, StatusCode.FailedPrecondition), (broken.Fault, CriStatus.From(broken, false).StatusCode));
        Assert.Contains(lab.Options.RegistriesConf!, broken.Message, StringComparison.Ordinal);
        Assert.Empty(lab.Leftovers());
    }

    [Fact]
    public async Task A_name_without_a_registry_is_looked_for_where_registries_conf_says()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        await using Registry second = await Registry.StartAsync(asksPassword: true);
        ImageBuilder image = new ImageBuilder().Layer(new ImageBuilderTar().File("a", "1"));
        await image.PushAsync($"{second.Host}/team/app:1", "--dest-creds", $"{Registry.User}:{Registry.Password}");
        await image.PushAsync($"{lab.Registry.Host}/team/app:1");
        Use(lab, $"unqualified-search-registries = [\"127.0.0.1:1\", \"{second.Host}\", \"{lab.Registry.Host}\"]\n[aliases]\n\"tool\" = \"{lab.Registry.Host}/team/app\"\n");

        // The second one would take these, but nobody said that they are for it.
        string id = await lab.PullByNameAsync("team/app:1", new RegistryCredentials { Username = Registry.User, Password = Registry.Password });
        ImageSummary found = (await lab.Store.FindAsync("team/app:1", ImageLab.Deadline))!;
        Assert.Equal([$"{lab.Registry.Host}/team/app:1"], found.RepoTags);
        Assert.Equal(id, (await lab.Store.ResolveAsync("tool:1", ImageLab.Deadline)).ImageId);
        Assert.Single(await lab.Store.ListAsync("team/app", ImageLab.Deadline));
        Assert.Null(await lab.Store.FindAsync("docker.io/team/app:1", ImageLab.Deadline));
        await lab.Store.RemoveAsync("tool:1", ImageLab.Deadline);
        Assert.Empty(await lab.Store.ListAsync("", ImageLab.Deadline));

        ImageException nowhere = await Assert.ThrowsAsync<ImageException>(() => lab.PullByNameAsync("team/nothing:1"));
        Assert.Equal(ImageFault.RegistryUnavailable, nowhere.Fault);
        Assert.Contains($"{lab.Registry.Host}/team/nothing:1", nowhere.Message, StringComparison.Ordinal);
        lab.Write("registries.conf", "unqualified-search-registries = 5\n");
        ImageException broken = await Assert.ThrowsAsync<ImageException>(() => lab.PullByNameAsync("team/app:1"));
        Assert.Equal(ImageFault.BadSettings, broken.Fault);
        Assert.Contains(lab.Options.RegistriesConf!, broken.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Drop_ins_win_over_the_file_in_the_order_of_their_names()
    {
        string folder = Directory.CreateTempSubdirectory("vks-test-names-").FullName;
        try
        {
            string main = Path.Combine(folder, "main");
            File.WriteAllText(main, "unqualified-search-registries = [\"a.example\"]\n[aliases]\n\"x\" = \"a.example/x\"\n");
            ShortNames names = new(main, folder);
            string[] Read(string name) => [.. names.Read(name).Select(reference => reference.ToString())];

            Assert.Equal(["a.example/x:2"], Read("x:2"));
            Assert.Equal(["a.example/y:latest"], Read("y"));
            File.WriteAllText(Path.Combine(folder, "10.conf"), "[aliases]\n\"x\" = \"b.example/x\"\n");
            File.WriteAllText(Path.Combine(folder, "20.conf"), "unqualified-search-registries = [\"b.example\", \"docker.io\"]\n");
            Assert.Equal(["b.example/x:2"], Read("x:2"));
            Assert.Equal(["b.example/y:latest", "docker.io/library/y:latest"], Read("y"));
            Assert.Equal(["c.example/y:latest"], Read("c.example/y"));
            File.WriteAllText(Path.Combine(folder, "30.conf"), "unqualified-search-registries = []\n");
            Assert.Equal(["docker.io/library/x:2"], Read("x:2"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void What_an_image_is_called_does_not_decide_what_its_fault_is()
    {
        ImageReference image = ImageReference.Parse("r.example/unauthorized/denied/not-found:1");

        Assert.Equal(ImageFault.RegistryUnavailable, RegistryFault.Of("reading manifest 1 in r.example/unauthorized/denied/not-found: connection refused", image));
        Assert.StartsWith("RegistryUnavailable: ", CriStatus.From(new ImageException(ImageFault.RegistryUnavailable, "a", "b"), false).Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void A_message_fits_into_a_header_however_long_the_callers_names_are()
    {
        string detail = CriStatus.From(new ImageException(ImageFault.InvalidReference, "", string.Concat(Enumerable.Repeat("😀", 100_000)) + " Do this."), false).Detail;

        Assert.InRange(detail.Length, 1000, 1300);
        Assert.EndsWith("Do this.", detail, StringComparison.Ordinal);
        Assert.Equal(detail, System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(detail)));
    }

    private static void Use(ImageLab lab, string registriesConf)
    {
        lab.Options = lab.Options with { RegistriesConf = lab.Write("registries.conf", registriesConf) };
        lab.Reopen();
    }
}
