using CliWrap;
using Vks.Spherelet.Images;
using Vks.Tests.Kit;

namespace Vks.Tests.Spherelet;

/// <summary>A store after its process was killed: whole images stay, half-made things go.</summary>
public sealed class ImageCrashTests
{
    [Fact]
    public async Task Leftovers_of_a_killed_daemon_are_gone_after_the_next_start_and_images_stay()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        await new ImageBuilder().Layer(new ImageBuilderTar().File("a", "1")).PushAsync($"{lab.Registry.Host}/a:1");
        string id = await lab.PullAsync("a:1");
        string[] before = lab.Leftovers();
        string images = lab.Options.Directory;
        Directory.CreateDirectory(Path.Combine(images, "tmp", "pull-1"));
        foreach (string half in new[] { "tmp/pull-1/oci-put-blob1", "tmp/disk-1", "tmp/file-1", "blobs/sha256/" + new string('a', 64), "disks/" + new string('b', 64) + ".sqfs" })
        {
            await File.WriteAllTextAsync(Path.Combine(images, half), "half", ImageLab.Deadline);
        }

        Directory.CreateDirectory(Path.Combine(lab.Options.RuntimeDirectory, "registry-auth"));
        await File.WriteAllTextAsync(Path.Combine(lab.Options.RuntimeDirectory, "registry-auth", "x.json"), "secret", ImageLab.Deadline);
        lab.Reopen();

        Assert.Equal(before, lab.Leftovers());
        Assert.Equal("1", await ImageLab.ReadDiskAsync((await lab.Store.ResolveAsync(id, ImageLab.Deadline)).DiskPath, "a"));
    }

    [Fact]
    public async Task A_tool_that_outlived_its_daemon_is_ended_at_the_next_start()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        string target = Path.Combine(lab.Options.Directory, "tmp", "disk-1");
        using CancellationTokenSource cancel = new(TimeSpan.FromSeconds(30));
        await using Stream never = new System.IO.Pipelines.Pipe().Reader.AsStream();
        CommandTask<CommandResult> tool = Cli.Wrap("tar2sqfs").WithArguments(["-q", "-f", target]).WithStandardInputPipe(PipeSource.FromStream(never))
            .WithValidation(CommandResultValidation.None).ExecuteAsync(cancel.Token);

        lab.Reopen();
        CommandResult result = await tool;

        Assert.NotEqual(0, result.ExitCode);
        Assert.Empty(lab.Leftovers());
    }

    [Fact]
    public async Task A_record_of_images_that_cannot_be_read_is_set_aside()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        await new ImageBuilder().Layer(new ImageBuilderTar().File("a")).PushAsync($"{lab.Registry.Host}/a:1");
        await lab.PullAsync("a:1");
        await File.WriteAllTextAsync(Path.Combine(lab.Options.Directory, "images.json"), "{\"version\":1,\"images\":[{\"id\":\"../../etc\"", ImageLab.Deadline);

        lab.Reopen();

        Assert.Empty(await lab.Store.ListAsync("", ImageLab.Deadline));
        Assert.Equal(["images/images.json.unreadable"], lab.Leftovers());
        await lab.PullAsync("a:1");
    }

    [Fact]
    public async Task A_lost_disk_is_made_again_and_a_lost_blob_forgets_the_image()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        ImageBuilder image = new ImageBuilder().Layer(new ImageBuilderTar().File("a", "1"));
        await image.PushAsync($"{lab.Registry.Host}/a:1");
        string id = await lab.PullAsync("a:1");
        string disk = (await lab.Store.ResolveAsync(id, ImageLab.Deadline)).DiskPath;
        byte[] first = await File.ReadAllBytesAsync(disk, ImageLab.Deadline);
        File.Delete(disk);

        Assert.Equal(disk, (await lab.Store.ResolveAsync(id, ImageLab.Deadline)).DiskPath);
        Assert.Equal(first, await File.ReadAllBytesAsync(disk, ImageLab.Deadline));

        File.Delete(lab.Blob(image.LayerDigests[0]));
        lab.Reopen();
        Assert.Null(await lab.Store.FindAsync(id, ImageLab.Deadline));
        Assert.Empty(lab.Leftovers());
    }

    [Fact]
    public async Task A_blob_damaged_on_this_host_is_fetched_again()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        ImageBuilder image = new ImageBuilder().RandomLayer("a", 50_000);
        await image.PushAsync($"{lab.Registry.Host}/a:1");
        string id = await lab.PullAsync("a:1");
        File.Delete((await lab.Store.ResolveAsync(id, ImageLab.Deadline)).DiskPath);
        await File.WriteAllTextAsync(lab.Blob(image.LayerDigests[0]), "damaged", ImageLab.Deadline);

        Assert.Equal(id, await lab.PullAsync("a:1"));

        Assert.Equal(image.LayerDigests[0], await BlobDigest.OfFileAsync(lab.Blob(image.LayerDigests[0]), ImageLab.Deadline));
        Assert.True(File.Exists((await lab.Store.ResolveAsync(id, ImageLab.Deadline)).DiskPath));
    }

    [Fact]
    public async Task Removing_an_image_frees_what_no_other_image_needs()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        ImageBuilder one = new ImageBuilder().RandomLayer("base", 100_000);
        await one.PushAsync($"{lab.Registry.Host}/one:1");
        byte[] upper = new ImageBuilderTar().File("upper", "x").ToArray();
        await one.Layer(upper).PushAsync($"{lab.Registry.Host}/two:1");
        string first = await lab.PullAsync("one:1");
        string second = await lab.PullAsync("two:1");
        ImageStoreUsage full = await lab.Store.GetUsageAsync(ImageLab.Deadline);

        await lab.Store.RemoveAsync(first, ImageLab.Deadline);
        ContainerImage left = await lab.Store.ResolveAsync(second, ImageLab.Deadline);
        Assert.Equal("x", await ImageLab.ReadDiskAsync(left.DiskPath, "upper"));
        Assert.True(File.Exists(lab.Blob(one.LayerDigests[0])));

        await lab.Store.RemoveAsync($"{lab.Registry.Host}/two:1", ImageLab.Deadline);
        await lab.Store.RemoveAsync($"{lab.Registry.Host}/two:1", ImageLab.Deadline);
        ImageStoreUsage empty = await lab.Store.GetUsageAsync(ImageLab.Deadline);

        Assert.Empty(lab.Leftovers());
        Assert.True(full.UsedBytes > 300_000, $"{full}");
        Assert.True(empty.UsedBytes < 1000, $"{empty}");
        Assert.True(empty.UsedInodes < full.UsedInodes);
        ImageException gone = await Assert.ThrowsAsync<ImageException>(() => lab.Store.ResolveAsync(second, ImageLab.Deadline));
        Assert.Equal(ImageFault.NotFound, gone.Fault);
    }

    [Fact]
    public async Task Other_tools_can_read_the_store_as_an_oci_layout()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        ImageBuilder image = new ImageBuilder().Layer(new ImageBuilderTar().File("a", "1"));
        await image.PushAsync($"{lab.Registry.Host}/a:1");
        await lab.PullAsync("a:1");

        CliWrap.Buffered.BufferedCommandResult result = await CliWrap.Buffered.BufferedCommandExtensions.ExecuteBufferedAsync(
            Cli.Wrap("skopeo").WithArguments(["inspect", "--raw", $"oci:{lab.Options.Directory}:{lab.Registry.Host}/a:1"]), ImageLab.Deadline);

        Assert.Equal(image.ManifestDigest, ImageBuilder.Digest(System.Text.Encoding.UTF8.GetBytes(result.StandardOutput)));
    }
}
