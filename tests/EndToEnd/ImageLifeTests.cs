using System.Globalization;
using Grpc.Core;
using Vks.Spherelet.Cri.V1;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>Images as the daemon's callers see them: over CRI, through kill -9, and beside pods.</summary>
[Collection(NodeCollection.Name)]
public sealed class ImageLifeTests(NodeLab lab)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_daemon_killed_in_mid_pull_goes_on_from_the_layers_that_came_whole()
    {
        string folder = Path.Combine("/tmp", string.Create(CultureInfo.InvariantCulture, $"vks-test-{Random.Shared.Next():x8}"));
        string images = Path.Combine(folder, "root", "images");
        await using Registry registry = await Registry.StartAsync();
        await using StallingProxy line = new(registry.Host);
        ImageBuilder image = new ImageBuilder().RandomLayer("small", 200_000).RandomLayer("big", 4_000_000);
        await image.PushAsync($"{registry.Host}/app:1");
        string small = Path.Combine(images, "blobs", "sha256", image.LayerDigests[0]["sha256:".Length..]);
        PullImageRequest pull = new() { Image = new ImageSpec { Image = $"{line.Host}/app:1" } };
        try
        {
            line.BytesPerConnection = 1_000_000;
            await using (SphereletProcess daemon = await SphereletProcess.StartAsync(folder, Token))
            {
                Task<PullImageResponse> lost = daemon.Cri.Images.PullImageAsync(pull, cancellationToken: Token).ResponseAsync;
                await Eventually.TrueAsync(() => Task.FromResult(File.Exists(small) && Growing(images) > 500_000), TimeSpan.FromSeconds(30), () => daemon.Log, Token);
                await daemon.KillAsync();
                await Assert.ThrowsAsync<RpcException>(() => lost);
            }

            line.BytesPerConnection = long.MaxValue;
            await using SphereletProcess second = await SphereletProcess.StartAsync(folder, Token);
            Assert.Equal(0, Growing(images));
            Assert.Empty((await second.Cri.Images.ListImagesAsync(new ListImagesRequest(), cancellationToken: Token)).Images);
            Assert.Equal(image.ImageId, (await second.Cri.Images.PullImageAsync(pull, cancellationToken: Token)).ImageRef);
            Assert.Equal(1, registry.CountRequests("GET", image.LayerDigests[0]));
            Assert.Contains("was interrupted", second.Log, StringComparison.Ordinal);
            Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(images, "tmp")));
            Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(images, "pulls")));
            await second.StopAsync();
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task An_image_that_a_pod_uses_outlives_collection_through_a_restart_and_others_do_not()
    {
        await using Registry registry = await Registry.StartAsync();
        await new ImageBuilder { RunConfig = { ["User"] = "1002:7" } }.RandomLayer("a", 100_000).PushAsync($"{registry.Host}/unused:1");
        string unused = await PullAsync($"{registry.Host}/unused:1");
        Image listed = (await lab.Cri.Images.ListImagesAsync(
            new ListImagesRequest { Filter = new ImageFilter { Image = new ImageSpec { Image = $"{registry.Host}/unused" } } }, cancellationToken: Token)).Images.Single();
        Assert.Equal((unused, 1002L, "", false), (listed.Id, listed.Uid.Value, listed.Username, listed.Pinned));

        await new ImageBuilder().Layer(new ImageBuilderTar().Dir("data").File("data/word", "volume")).PushAsync($"{registry.Host}/volume:1");
        string volume = await PullAsync($"{registry.Host}/volume:1");
        Mount Volume(string subPath) => new() { ContainerPath = "/v", Readonly = true, Image = new ImageSpec { Image = volume }, ImageSubPath = subPath };

        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.CreateAsync(Token, config => config.Mounts.Add(Volume("data")), "sh", "-c", "dd if=/dev/urandom of=/big bs=1M count=8; sync; sleep 1000");
        await lab.Cri.Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = container }, cancellationToken: Token);
        Assert.Equal("volume", await pod.ExecAsync(container, Token, "cat", "/v/word"));
        Assert.Equal(volume, (await pod.ContainerStatusAsync(container, Token)).Mounts.Single(mount => mount.ContainerPath == "/v").Image.ImageRef);
        RpcException missing = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            string other = await pod.CreateAsync(Token, config => config.Mounts.Add(Volume("nothing/here")), "sleep", "1000");
            await lab.Cri.Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = other }, cancellationToken: Token);
        });
        Assert.Equal(StatusCode.InvalidArgument, missing.StatusCode);
        ulong Written() => Usage().ContainerFilesystems.Single().UsedBytes.Value;
        ImageFsInfoResponse Usage() => lab.Cri.Images.ImageFsInfo(new ImageFsInfoRequest(), cancellationToken: Token);
        await Eventually.TrueAsync(() => Task.FromResult(Written() > 8 << 20), TimeSpan.FromSeconds(30), () => $"{Usage()}", Token);
        FilesystemUsage disks = Usage().ImageFilesystems.Single();
        Assert.Equal(disks.FsId.Mountpoint, Usage().ContainerFilesystems.Single().FsId.Mountpoint);
        Assert.True(disks.UsedBytes.Value > 100_000 && disks.InodesUsed.Value > 5, $"{disks}");

        try
        {
            // Every use of the file system is too much now, so only what is in use may stay.
            await lab.RestartDaemonAsync(Token, "--image-gc-high-percent", "1", "--image-gc-low-percent", "0", "--image-gc-min-age-seconds", "0", "--image-gc-period-seconds", "1");
            await Eventually.TrueAsync(async () => await FindAsync(unused) is null, TimeSpan.FromSeconds(20), () => lab.Daemon.Log, Token);
            Assert.NotNull(await FindAsync(lab.Image));
            Assert.NotNull(await FindAsync(volume));
            Assert.Equal("8388608\n", await pod.ExecAsync(container, Token, "stat", "-c", "%s", "/big"));
        }
        finally
        {
            await lab.RestartDaemonAsync(Token);
            await PullAsync(lab.Image);
        }
    }

    [Fact]
    public async Task Mistakes_in_image_calls_are_the_callers()
    {
        async Task<StatusCode> CodeOf<T>(AsyncUnaryCall<T> call) => (await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync)).StatusCode;
        ImageService.ImageServiceClient images = lab.Cri.Images;

        Assert.Equal(StatusCode.InvalidArgument, await CodeOf(images.PullImageAsync(new PullImageRequest(), cancellationToken: Token)));
        Assert.Equal(StatusCode.InvalidArgument, await CodeOf(images.PullImageAsync(new PullImageRequest { Image = new ImageSpec { Image = "a", RuntimeHandler = "runc" } }, cancellationToken: Token)));
        Assert.Equal(StatusCode.InvalidArgument, await CodeOf(images.PullImageAsync(new PullImageRequest { Image = new ImageSpec { Image = "a" }, Auth = new AuthConfig { Auth = "?" } }, cancellationToken: Token)));
        Assert.Equal(StatusCode.InvalidArgument, await CodeOf(images.RemoveImageAsync(new RemoveImageRequest { Image = new ImageSpec { Image = new string('A', 100_000) } }, cancellationToken: Token)));
        Assert.Equal(StatusCode.InvalidArgument, await CodeOf(images.ImageStatusAsync(new ImageStatusRequest(), cancellationToken: Token)));
        Assert.Equal(StatusCode.NotFound, await CodeOf(images.PullImageAsync(new PullImageRequest { Image = new ImageSpec { Image = lab.Image.Replace("demo", "nothing", StringComparison.Ordinal) } }, cancellationToken: Token)));
        Assert.Equal(StatusCode.Unavailable, await CodeOf(images.PullImageAsync(new PullImageRequest { Image = new ImageSpec { Image = "127.0.0.1:1/a", RuntimeHandler = "crx" } }, cancellationToken: Token)));
        Assert.Null((await images.ImageStatusAsync(new ImageStatusRequest { Image = new ImageSpec { Image = "never.example/pulled:1" } }, cancellationToken: Token)).Image);
        await images.RemoveImageAsync(new RemoveImageRequest { Image = new ImageSpec { Image = "never.example/pulled:1" } }, cancellationToken: Token);
    }

    /// <summary>Bytes of blobs that are not whole yet.</summary>
    private static long Growing(string images) => Directory.Exists(Path.Combine(images, "tmp"))
        ? new DirectoryInfo(Path.Combine(images, "tmp")).EnumerateFiles("oci-put-blob*", SearchOption.AllDirectories).Sum(file => file.Length)
        : 0;

    private async Task<string> PullAsync(string image) =>
        (await lab.Cri.Images.PullImageAsync(new PullImageRequest { Image = new ImageSpec { Image = image } }, cancellationToken: Token)).ImageRef;

    private async Task<Image?> FindAsync(string image) =>
        (await lab.Cri.Images.ImageStatusAsync(new ImageStatusRequest { Image = new ImageSpec { Image = image } }, cancellationToken: Token)).Image;
}
