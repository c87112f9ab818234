using Vks.Spherelet.Images;
using Vks.Tests.Kit;

namespace Vks.Tests.Spherelet;

/// <summary>Pulls from a real registry with the real tools.</summary>
public sealed class ImagePullTests
{
    [Fact]
    public async Task A_pulled_image_is_found_by_every_name_and_its_disk_holds_the_merged_layers()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        ImageBuilder image = new ImageBuilder()
            .Layer(new ImageBuilderTar().Dir("bin").File("bin/sh", "shell", 0x1ed).File("bin/old", "old").File("etc/motd", "one"))
            .Layer(new ImageBuilderTar().Whiteout("bin", "old").File("etc/motd", "two"), LayerPacking.Zstd)
            .Layer(new ImageBuilderTar().Symlink("sh", "bin/sh"), LayerPacking.Plain);
        await image.PushAsync($"{lab.Registry.Host}/team/app:1");

        string id = await lab.PullAsync("team/app:1");

        Assert.Equal(image.ImageId, id);
        ImageSummary? found = await lab.Store.FindAsync($"{lab.Registry.Host}/team/app:1", ImageLab.Deadline);
        Assert.NotNull(found);
        Assert.Equal([$"{lab.Registry.Host}/team/app:1"], found.RepoTags);
        Assert.Equal([$"{lab.Registry.Host}/team/app@{image.ManifestDigest}"], found.RepoDigests);
        foreach (string name in new[] { id, id["sha256:".Length..], id["sha256:".Length..][..12], found.RepoDigests[0] })
        {
            Assert.Equal(id, (await lab.Store.ResolveAsync(name, ImageLab.Deadline)).ImageId);
        }

        ContainerImage resolved = await lab.Store.ResolveAsync(id, ImageLab.Deadline);
        Assert.Equal(["PATH=/bin"], resolved.Config.Env);
        Assert.Equal("two", await ImageLab.ReadDiskAsync(resolved.DiskPath, "etc/motd"));
        Assert.Equal("shell", await ImageLab.ReadDiskAsync(resolved.DiskPath, "bin/sh"));
        Assert.DoesNotContain(await ImageLab.ListDiskAsync(resolved.DiskPath), line => line.Contains("old", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_image_in_dockers_format_keeps_the_id_and_digest_that_its_registry_gives_it()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        await new ImageBuilder().Layer(new ImageBuilderTar().File("a", "1")).PushAsDockerAsync($"{lab.Registry.Host}/d:1");

        string id = await lab.PullAsync("d:1");

        ImageSummary found = (await lab.Store.ListAsync("", ImageLab.Deadline)).Single();
        string digest = found.RepoDigests.Single().Split('@')[1];
        Assert.Contains("application/vnd.docker.distribution.manifest.v2+json", await File.ReadAllTextAsync(lab.Registry.BlobFile(digest), ImageLab.Deadline), StringComparison.Ordinal);
        Assert.True(File.Exists(lab.Registry.BlobFile(id)), "the id is the digest of the config that the registry has");
        Assert.Equal("1", await ImageLab.ReadDiskAsync((await lab.Store.ResolveAsync(id, ImageLab.Deadline)).DiskPath, "a"));
        Assert.Equal(4, lab.Leftovers().Length);
    }

    [Fact]
    public async Task Images_share_blobs_and_disks_and_a_second_pull_fetches_no_layer()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        ImageBuilder first = new ImageBuilder().RandomLayer("base", 300_000);
        await first.PushAsync($"{lab.Registry.Host}/one:1");
        string id = await lab.PullAsync("one:1");
        int fetched = lab.Registry.CountRequests("GET", first.LayerDigests[0]);

        await first.PushAsync($"{lab.Registry.Host}/two:1");
        Assert.Equal(id, await lab.PullAsync("two:1"));
        Assert.Equal(id, await lab.PullAsync("one:1"));

        Assert.Equal(1, fetched);
        Assert.Equal(fetched, lab.Registry.CountRequests("GET", first.LayerDigests[0]));
        ImageSummary image = (await lab.Store.ListAsync("", ImageLab.Deadline)).Single();
        Assert.Equal([$"{lab.Registry.Host}/one:1", $"{lab.Registry.Host}/two:1"], image.RepoTags);
        Assert.Equal(4, lab.Leftovers().Length);
    }

    [Fact]
    public async Task Pulls_of_the_same_image_at_the_same_time_are_one_pull_that_outlives_its_first_caller()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        ImageBuilder image = new ImageBuilder().RandomLayer("big", 8_000_000);
        await image.PushAsync($"{lab.Registry.Host}/big:1");
        using CancellationTokenSource first = new();

        Task<string> cancelled = lab.PullAsync("big:1", cancellationToken: first.Token);
        Task<string>[] others = [.. Enumerable.Range(0, 5).Select(_ => lab.PullAsync("big:1"))];
        await first.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        Assert.All(await Task.WhenAll(others), id => Assert.Equal(image.ImageId, id));
        Assert.Equal(1, lab.Registry.CountRequests("GET", image.LayerDigests[0]));
    }

    [Fact]
    public async Task A_pull_that_nobody_waits_for_any_more_ends_and_removing_the_image_removes_what_it_brought()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        await new ImageBuilder().RandomLayer("big", 30_000_000).PushAsync($"{lab.Registry.Host}/big:1");
        using CancellationTokenSource cancel = new();

        Task<string> pull = lab.PullAsync("big:1", cancellationToken: cancel.Token);
        await UntilAsync(() => Directory.EnumerateFiles(Path.Combine(lab.Options.Directory, "tmp"), "oci-put-blob*", SearchOption.AllDirectories).Any());
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => pull);
        Assert.DoesNotContain(lab.Leftovers(), file => file.StartsWith("images/tmp/", StringComparison.Ordinal));
        await lab.Store.RemoveAsync($"{lab.Registry.Host}/big:1", ImageLab.Deadline);
        Assert.Empty(lab.Leftovers());
        Assert.Empty(await lab.Store.ListAsync("", ImageLab.Deadline));
    }

    [Fact]
    public async Task The_right_manifest_of_an_index_is_taken_and_the_index_digest_is_a_name()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        ImageBuilder arm = new ImageBuilder { Architecture = "arm64" }.Layer(new ImageBuilderTar().File("arm"));
        ImageBuilder amd = new ImageBuilder().Layer(new ImageBuilderTar().File("amd", "x"));
        await ImageBuilder.PushIndexAsync($"{lab.Registry.Host}/multi:1", arm, amd);

        string id = await lab.PullAsync("multi:1");

        Assert.Equal(amd.ImageId, id);
        ImageSummary image = (await lab.Store.FindAsync(id, ImageLab.Deadline))!;
        Assert.Equal(2, image.RepoDigests.Count);
        Assert.Contains(image.RepoDigests, name => name.EndsWith(amd.ManifestDigest, StringComparison.Ordinal));
        Assert.Equal(id, await lab.Store.PullAsync(new ImagePullRequest { Reference = image.RepoDigests[0] }, ImageLab.Deadline));
    }

    [Fact]
    public async Task A_tag_that_moved_names_the_new_image_only()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        await new ImageBuilder().Layer(new ImageBuilderTar().File("v", "1")).PushAsync($"{lab.Registry.Host}/v:latest");
        string old = await lab.PullAsync("v");
        await new ImageBuilder().Layer(new ImageBuilderTar().File("v", "2")).PushAsync($"{lab.Registry.Host}/v:latest");

        string now = await lab.PullAsync("v");

        Assert.NotEqual(old, now);
        Assert.Equal(now, (await lab.Store.ResolveAsync($"{lab.Registry.Host}/v:latest", ImageLab.Deadline)).ImageId);
        Assert.Empty((await lab.Store.FindAsync(old, ImageLab.Deadline))!.RepoTags);
    }

    [Fact]
    public async Task A_filter_means_one_name_or_all_of_a_repository_and_any_name_removes_the_image()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        string host = lab.Registry.Host;
        ImageBuilder image = new ImageBuilder().Layer(new ImageBuilderTar().File("v", "1"));
        foreach (Func<string> remover in new Func<string>[] { () => $"{host}/app:2", () => $"{host}/other@{image.ManifestDigest}", () => image.ImageId })
        {
            foreach (string name in new[] { "app:1", "app:2", "other:1" })
            {
                await image.PushAsync($"{host}/{name}");
                await lab.PullAsync(name);
            }

            ImageSummary found = (await lab.Store.ListAsync($"{host}/app", ImageLab.Deadline)).Single();
            Assert.Equal([$"{host}/app:1", $"{host}/app:2", $"{host}/other:1"], found.RepoTags.Order(StringComparer.Ordinal));
            Assert.Equal([$"{host}/app@{image.ManifestDigest}", $"{host}/other@{image.ManifestDigest}"], found.RepoDigests.Order(StringComparer.Ordinal));
            Assert.Single(await lab.Store.ListAsync($"{host}/app:1", ImageLab.Deadline));
            Assert.Empty(await lab.Store.ListAsync($"{host}/app:3", ImageLab.Deadline));
            Assert.Empty(await lab.Store.ListAsync($"{host}/ap", ImageLab.Deadline));
            Assert.Empty(await lab.Store.ListAsync("NO such // image", ImageLab.Deadline));

            await lab.Store.RemoveAsync(remover(), ImageLab.Deadline);
            Assert.Null(await lab.Store.FindAsync($"{host}/app:1", ImageLab.Deadline));
            Assert.Empty(lab.Leftovers());
        }
    }

    internal static async Task UntilAsync(Func<bool> condition)
    {
        using CancellationTokenSource deadline = new(TimeSpan.FromSeconds(30));
        while (!condition())
        {
            await Task.Delay(5, deadline.Token);
        }
    }
}
