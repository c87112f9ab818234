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
