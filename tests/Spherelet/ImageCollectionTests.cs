using CliWrap;
using CsCheck;
using Vks.Spherelet.Images;
using Vks.Tests.Kit;

namespace Vks.Tests.Spherelet;

/// <summary>Which images are removed by themselves, and which never are.</summary>
public sealed class ImageCollectionTests
{
    private static readonly DateTimeOffset Now = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private static readonly Gen<CollectionCandidate[]> Images = Gen.Select(
            Gen.Int[0, 5000], Gen.Int[0, 5000], Gen.Bool, Gen.Int[0, 9].Array[1, 4],
            (used, pulled, kept, files) => (used, pulled, kept, files))
        .Array[0, 12]
        .Select(images => images.Select((image, i) => new CollectionCandidate(
            $"image-{i}", Now.AddMinutes(-image.used), Now.AddMinutes(-image.pulled), image.kept,
            image.files.Distinct().ToDictionary(file => $"file-{file}", file => 1000L + file))).ToArray());

    private static readonly Gen<CollectionRules> Rules = Gen.Select(Gen.Int[0, 100], Gen.Int[0, 99], Gen.Int[0, 600], Gen.Int[0, 80], (high, low, age, idle) =>
        new CollectionRules { HighPercent = high, LowPercent = low, MinAge = TimeSpan.FromMinutes(age), MaxIdle = TimeSpan.FromHours(idle) });

    [Fact]
    public void Neither_used_nor_pinned_nor_young_images_go_and_no_more_than_needed() =>
        Gen.Select(Images, Rules, Gen.Long[0, 20_000]).Sample((images, rules, available) =>
        {
            StoreFilling filling = new(20_000, available);

            IReadOnlyList<Collected> gone = CollectionPlan.Choose(images, filling, rules, Now);

            Dictionary<string, CollectionCandidate> byId = images.ToDictionary(image => image.Id);
            Assert.All(gone, one =>
            {
                Assert.False(byId[one.Id].Kept);
                Assert.True(Now - byId[one.Id].LastUsed >= rules.MinAge && Now - byId[one.Id].PulledAt >= rules.MinAge);
            });
            HashSet<string> ids = [.. gone.Select(one => one.Id)];
            Dictionary<string, long> left = images.Where(image => !ids.Contains(image.Id)).SelectMany(image => image.Files).DistinctBy(file => file.Key).ToDictionary();
            Dictionary<string, long> all = images.SelectMany(image => image.Files).DistinctBy(file => file.Key).ToDictionary();
            Assert.Equal(all.Values.Sum() - left.Values.Sum(), gone.Sum(one => one.FreedBytes));

            bool Old(string id) => rules.MaxIdle > TimeSpan.Zero && Now - byId[id].LastUsed > rules.MaxIdle;
            bool full = rules.HighPercent > 0 && filling.UsedPercent >= rules.HighPercent;
            long target = (long)((100 - rules.LowPercent) / 100.0 * 20_000);
            string[] forSpace = [.. gone.Select(one => one.Id).Where(id => !Old(id))];
            Assert.True(full || forSpace.Length == 0);
            if (forSpace.Length > 0)
            {
                // Before the last of them went, there was still not enough room.
                int last = gone.ToList().FindIndex(one => one.Id == forSpace[^1]);
                Assert.True(available + gone.Take(last).Sum(one => one.FreedBytes) < target);
            }

            foreach (CollectionCandidate image in images.Where(image => !ids.Contains(image.Id) && !image.Kept && Now - image.LastUsed >= rules.MinAge && Now - image.PulledAt >= rules.MinAge))
            {
                Assert.False(Old(image.Id));
                Assert.True(!full || available + gone.Sum(one => one.FreedBytes) >= target);
            }
        });

    [Fact]
    public async Task A_full_file_system_is_emptied_of_what_was_unused_longest_down_to_the_low_mark()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        ImageBuilder shared = new ImageBuilder().RandomLayer("base", 1_000_000);
        ImageBuilder With(string name) => new ImageBuilder().Layers(shared).RandomLayer(name, 3_000_000);
        string[] names = ["pinned", "used", "oldest", "older", "young"];
        foreach (string name in names)
        {
            await With(name).PushAsync($"{lab.Registry.Host}/{name}:1");
        }

        string mount = Path.Combine(lab.Folder, "small");
        Directory.CreateDirectory(mount);
        await Cli.Wrap("mount").WithArguments(["-t", "tmpfs", "-o", "size=48m", "tmpfs", mount]).ExecuteAsync(ImageLab.Deadline);
        try
        {
            lab.Options = lab.Options with { Directory = Path.Combine(mount, "images"), Pinned = [$"{lab.Registry.Host}/pin*"] };
            lab.Reopen();
            Dictionary<string, string> ids = [];
            foreach (string name in names)
            {
                ids[name] = await lab.PullAsync($"{name}:1");
            }

            await lab.Store.ResolveAsync(ids["older"], ImageLab.Deadline);
            CollectionRules rules = new() { HighPercent = 70, LowPercent = 55, MinAge = TimeSpan.Zero };
            Assert.Empty(await lab.Store.CollectAsync(rules with { HighPercent = 99 }, _ => false, ImageLab.Deadline));
            Assert.Empty(await lab.Store.CollectAsync(rules with { MinAge = TimeSpan.FromHours(1) }, _ => false, ImageLab.Deadline));
            Assert.True((await lab.Store.FindAsync(ids["pinned"], ImageLab.Deadline))!.Pinned);
            Assert.False((await lab.Store.FindAsync(ids["used"], ImageLab.Deadline))!.Pinned);
            long before = StoreSpace.Measure(mount).AvailableBytes;

            IReadOnlyList<Collected> gone = await lab.Store.CollectAsync(rules, id => id == ids["used"], ImageLab.Deadline);

            Assert.Equal([ids["oldest"], ids["young"]], gone.Select(one => one.Id));
            Assert.InRange(StoreSpace.Measure(mount).AvailableBytes - before - gone.Sum(one => one.FreedBytes), -200_000, 200_000);
            Assert.True(StoreSpace.Measure(mount).UsedPercent <= 55);
            Assert.True(File.Exists(Path.Combine(mount, "images", "blobs", "sha256", shared.LayerDigests[0]["sha256:".Length..])));
            Assert.Contains(lab.LogLines, line => line.Contains("oldest:1", StringComparison.Ordinal) && line.Contains("% full", StringComparison.Ordinal));

            // Uses outlive a restart: the one in use was used last, so it goes last.
            lab.Reopen();
            IReadOnlyList<Collected> rest = await lab.Store.CollectAsync(new CollectionRules { MaxIdle = TimeSpan.FromTicks(1), MinAge = TimeSpan.Zero }, _ => false, ImageLab.Deadline);
            Assert.Equal([ids["older"], ids["used"]], rest.Select(one => one.Id));
            Assert.Equal([ids["pinned"]], (await lab.Store.ListAsync("", ImageLab.Deadline)).Select(image => image.ImageId));
        }
        finally
        {
            await Cli.Wrap("umount").WithArguments([mount]).ExecuteAsync(ImageLab.Deadline);
        }
    }

    [Theory]
    [InlineData("busybox", true)]
    [InlineData("docker.io/library/busybox:latest", true)]
    [InlineData("busybox:1", false)]
    [InlineData("docker.io/library/*", true)]
    [InlineData("*box:*", true)]
    [InlineData("*/alpine*", false)]
    public void A_pinned_name_is_one_name_or_has_stars(string pattern, bool pinned)
    {
        ImageRecord image = new()
        {
            Id = "sha256:" + new string('a', 64),
            ManifestDigest = "",
            ManifestMediaType = "",
            ManifestBytes = 0,
            RepoTags = ["docker.io/library/busybox:latest"],
            RepoDigests = [],
            Layers = [],
            DiffIds = [],
            Config = new ImageRunConfig(),
            SizeBytes = 0,
            PulledAt = Now,
        };

        Assert.Equal(pinned, new PinnedImages([pattern]).Has(image));
    }
}
