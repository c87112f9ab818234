using System.Text;
using CliWrap;
using Vks.Spherelet.Images;
using Vks.Tests.Kit;

namespace Vks.Tests.Spherelet;

/// <summary>What goes wrong with registries, images and disks: each a typed fault, and nothing left behind.</summary>
public sealed class ImageFaultTests
{
    private static ImageBuilder Small => new ImageBuilder().Layer(new ImageBuilderTar().File("a", "content"));

    [Fact]
    public async Task An_unknown_image_is_not_found()
    {
        await using ImageLab lab = await ImageLab.StartAsync();

        ImageException fault = await lab.PullFailsAsync("nobody/nothing:1");

        Assert.Equal(ImageFault.NotFound, fault.Fault);
        Assert.Contains("nobody/nothing:1", fault.Message, StringComparison.Ordinal);
        Assert.Empty(lab.Leftovers());
    }

    [Theory]
    [InlineData("UPPER/case")]
    [InlineData("a b")]
    [InlineData("../../etc/passwd")]
    [InlineData("a@sha256:123")]
    [InlineData("a:tag:tag")]
    [InlineData("-v")]
    [InlineData("")]
    public async Task An_impossible_name_is_refused(string name)
    {
        await using ImageLab lab = await ImageLab.StartAsync();

        ImageException fault = await Assert.ThrowsAsync<ImageException>(() => lab.Store.PullAsync(new ImagePullRequest { Reference = name }, ImageLab.Deadline));

        Assert.Equal(ImageFault.InvalidReference, fault.Fault);
    }

    [Fact]
    public async Task A_registry_that_is_down_is_unavailable()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        await lab.Registry.StopAsync();

        ImageException fault = await lab.PullFailsAsync("a:1");

        Assert.Equal(ImageFault.RegistryUnavailable, fault.Fault);
        Assert.Contains("connection refused", fault.Message, StringComparison.Ordinal);
        Assert.Empty(lab.Leftovers());
    }

    [Fact]
    public async Task A_registry_that_never_answers_is_unavailable_after_the_time_given()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        using System.Net.Sockets.TcpListener silent = new(System.Net.IPAddress.Loopback, 0);
        silent.Start();
        lab.Options = lab.Options with { ManifestTimeout = TimeSpan.FromSeconds(1) };
        ImageStore store = lab.Reopen();

        ImageException fault = await Assert.ThrowsAsync<ImageException>(() =>
            store.PullAsync(new ImagePullRequest { Reference = $"{silent.LocalEndpoint}/a:1" }, ImageLab.Deadline));

        Assert.Equal(ImageFault.RegistryUnavailable, fault.Fault);
        Assert.Empty(lab.Leftovers());
    }

    [Fact]
    public async Task Only_the_right_password_opens_a_registry_and_no_file_keeps_it()
    {
        await using ImageLab lab = await ImageLab.StartAsync(asksPassword: true);
        await Small.PushAsync($"{lab.Registry.Host}/secret:1", "--dest-creds", $"{Registry.User}:{Registry.Password}");

        ImageException anonymous = await lab.PullFailsAsync("secret:1");
        ImageException wrong = await lab.PullFailsAsync("secret:1", new RegistryCredentials { Username = Registry.User, Password = "wrong" });
        string[] leftovers = lab.Leftovers();
        string id = await lab.PullAsync("secret:1", new RegistryCredentials { Username = Registry.User, Password = Registry.Password });

        Assert.Equal(ImageFault.Unauthorized, anonymous.Fault);
        Assert.Equal(ImageFault.Unauthorized, wrong.Fault);
        Assert.DoesNotContain("wrong", wrong.Message.Replace("wrong credentials", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Empty(leftovers);
        Assert.StartsWith("sha256:", id, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFiles(lab.Options.RuntimeDirectory, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task A_password_is_never_on_a_command_line()
    {
        await using ImageLab lab = await ImageLab.StartAsync(asksPassword: true);
        await new ImageBuilder().RandomLayer("big", 60_000_000).PushAsync($"{lab.Registry.Host}/secret:1", "--dest-creds", $"{Registry.User}:{Registry.Password}");
        Task<string> pull = lab.PullAsync("secret:1", new RegistryCredentials { Username = Registry.User, Password = Registry.Password });
        (string seen, UnixFileMode? mode) = await lab.WatchAsync(pull);

        await pull;
        Assert.Contains(lab.Registry.Host + "/secret", seen, StringComparison.Ordinal);
        Assert.DoesNotContain(Registry.Password, seen, StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, mode);
    }

    [Fact]
    public async Task A_layer_that_the_registry_has_damaged_is_a_digest_mismatch()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        ImageBuilder image = new ImageBuilder().RandomLayer("a", 100_000);
        await image.PushAsync($"{lab.Registry.Host}/bad:1");
        string blob = lab.Registry.BlobFile(image.LayerDigests[0]);
        byte[] content = await File.ReadAllBytesAsync(blob, ImageLab.Deadline);
        content[50_000] ^= 0xff;
        await File.WriteAllBytesAsync(blob, content, ImageLab.Deadline);

        ImageException fault = await lab.PullFailsAsync("bad:1");

        Assert.Equal(ImageFault.DigestMismatch, fault.Fault);
        Assert.Empty(lab.Leftovers());
    }

    [Fact]
    public async Task A_layer_that_is_not_what_the_config_says_is_a_digest_mismatch()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        ImageBuilder image = Small;
        image.ClaimedDiffId = "sha256:" + new string('0', 64);
        await image.PushAsync($"{lab.Registry.Host}/liar:1");

        ImageException fault = await lab.PullFailsAsync("liar:1");

        Assert.Equal(ImageFault.DigestMismatch, fault.Fault);
        Assert.Empty(lab.Leftovers());
    }

    [Fact]
    public async Task A_layer_that_is_no_archive_is_corrupt()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        await new ImageBuilder().Layer(Encoding.UTF8.GetBytes(new string('x', 5000))).PushAsync($"{lab.Registry.Host}/junk:1");

        ImageException fault = await lab.PullFailsAsync("junk:1");

        Assert.Equal(ImageFault.Corrupt, fault.Fault);
        Assert.Contains("checksum", fault.Message, StringComparison.Ordinal);
        Assert.Empty(lab.Leftovers());
    }

    [Fact]
    public async Task An_image_for_another_architecture_is_refused_by_name()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        ImageBuilder arm = new ImageBuilder { Architecture = "arm64" }.Layer(new ImageBuilderTar().File("a"));
        ImageBuilder s390 = new ImageBuilder { Architecture = "s390x" }.Layer(new ImageBuilderTar().File("a"));
        await arm.PushAsync($"{lab.Registry.Host}/arm:1");
        await ImageBuilder.PushIndexAsync($"{lab.Registry.Host}/arm:2", arm, s390);

        foreach (string name in new[] { "arm:1", "arm:2" })
        {
            ImageException fault = await lab.PullFailsAsync(name);
            Assert.Equal(ImageFault.WrongPlatform, fault.Fault);
            Assert.Contains("linux/arm64", fault.Message, StringComparison.Ordinal);
        }

        Assert.Empty(lab.Leftovers());
    }

    [Theory]
    [InlineData(3, 4_000_000)]
    [InlineData(10, 6_000_000)]
    public async Task A_full_disk_is_told_with_its_numbers_and_freed_again(int mib, int layerBytes)
    {
        // The small size fills up while layers come, the larger one while the disk is built.
        await using ImageLab lab = await ImageLab.StartAsync();
        await new ImageBuilder().RandomLayer("big", layerBytes).PushAsync($"{lab.Registry.Host}/big:1");
        await Small.PushAsync($"{lab.Registry.Host}/small:1");
        string mount = Path.Combine(lab.Folder, "small");
        Directory.CreateDirectory(mount);
        await Cli.Wrap("mount").WithArguments(["-t", "tmpfs", "-o", $"size={mib}m", "tmpfs", mount]).ExecuteAsync(ImageLab.Deadline);
        try
        {
            lab.Options = lab.Options with { Directory = Path.Combine(mount, "images") };
            lab.Reopen();

            ImageException fault = await lab.PullFailsAsync("big:1");

            Assert.Equal(ImageFault.NoSpace, fault.Fault);
            Assert.Contains(mount, fault.Message, StringComparison.Ordinal);
            Assert.Contains($"of {mib} MiB free", fault.Message, StringComparison.Ordinal);
            Assert.DoesNotContain(Directory.EnumerateFiles(mount, "*", SearchOption.AllDirectories), file => !file.EndsWith("json", StringComparison.Ordinal) && !file.EndsWith("oci-layout", StringComparison.Ordinal));
            await lab.PullAsync("small:1");
        }
        finally
        {
            await Cli.Wrap("umount").WithArguments([mount]).ExecuteAsync(ImageLab.Deadline);
        }
    }
}
