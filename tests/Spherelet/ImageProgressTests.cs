using Vks.Spherelet.Images;
using Vks.Tests.Kit;

namespace Vks.Tests.Spherelet;

/// <summary>Pulls over a line that dies: they are told, ended, and gone on with.</summary>
public sealed class ImageProgressTests
{
    [Fact]
    public async Task A_pull_that_does_not_get_on_is_ended_and_the_next_one_goes_on_from_its_whole_layers()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        await using StallingProxy line = new(lab.Registry.Host);
        lab.Options = lab.Options with { ProgressPeriod = TimeSpan.FromMilliseconds(50), ProgressTimeout = TimeSpan.FromSeconds(2) };
        lab.Reopen();
        ImageBuilder image = new ImageBuilder().RandomLayer("small", 200_000).RandomLayer("big", 4_000_000);
        await image.PushAsync($"{lab.Registry.Host}/app:1");
        line.BytesPerConnection = 1_000_000;

        ImageException stuck = await Assert.ThrowsAsync<ImageException>(() => lab.PullByNameAsync($"{line.Host}/app:1"));
        string[] kept = lab.Leftovers();
        line.BytesPerConnection = long.MaxValue;
        string id = await lab.PullByNameAsync($"{line.Host}/app:1");

        Assert.Equal(ImageFault.RegistryUnavailable, stuck.Fault);
        Assert.Contains("nothing came", stuck.Message, StringComparison.Ordinal);
        Assert.Contains("1 of 2 layers", stuck.Message, StringComparison.Ordinal);
        Assert.Contains("images/blobs/sha256/" + image.LayerDigests[0]["sha256:".Length..], kept);
        Assert.DoesNotContain(kept, file => file.StartsWith("images/tmp/", StringComparison.Ordinal));
        Assert.Equal(image.ImageId, id);
        Assert.Equal(1, lab.Registry.CountRequests("GET", image.LayerDigests[0]));
        Assert.Contains(lab.LogLines, text => text.Contains("0 of them are here", StringComparison.Ordinal));
        Assert.Contains(lab.LogLines, text => text.Contains("2 layers of", StringComparison.Ordinal) && text.Contains("1 of them are here", StringComparison.Ordinal));
        Assert.Contains(lab.LogLines, text => text.Contains("MiB, 1 of 2 layers", StringComparison.Ordinal));
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(lab.Options.Directory, "pulls")));
    }

    [Fact]
    public async Task What_an_interrupted_pull_brought_is_dropped_when_it_is_old_unreadable_or_told_to_go()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        await using StallingProxy line = new(lab.Registry.Host);
        lab.Options = lab.Options with { ProgressPeriod = TimeSpan.FromMilliseconds(50), ProgressTimeout = TimeSpan.FromMilliseconds(500) };
        lab.Reopen();
        await new ImageBuilder().RandomLayer("small", 20_000).RandomLayer("big", 2_000_000).PushAsync($"{lab.Registry.Host}/app:1");
        line.BytesPerConnection = 500_000;
        string pulls = Path.Combine(lab.Options.Directory, "pulls");
        await Assert.ThrowsAsync<ImageException>(() => lab.PullByNameAsync($"{line.Host}/app:1"));
        Assert.NotEmpty(lab.Leftovers());

        string record = Directory.EnumerateFiles(pulls).Single();
        string young = await File.ReadAllTextAsync(record, ImageLab.Deadline);
        lab.Reopen();
        Assert.Contains(lab.LogLines, text => text.Contains("was interrupted", StringComparison.Ordinal));
        Assert.NotEmpty(lab.Leftovers());

        await File.WriteAllTextAsync(record, young.Replace("\"startedAt\":\"20", "\"startedAt\":\"19", StringComparison.Ordinal), ImageLab.Deadline);
        lab.Reopen();
        Assert.Empty(lab.Leftovers());

        foreach (string rubbish in new[] { "{", "null", """{"reference":"a","blobs":["../../etc/passwd"],"startedAt":"2999-01-01T00:00:00Z"}""" })
        {
            await File.WriteAllTextAsync(record, rubbish, ImageLab.Deadline);
            lab.Reopen();
            Assert.Empty(lab.Leftovers());
        }
    }

    [Fact]
    public async Task No_more_pulls_than_allowed_run_at_the_same_time()
    {
        await using ImageLab lab = await ImageLab.StartAsync();
        await using StallingProxy line = new(lab.Registry.Host);
        lab.Options = lab.Options with { ParallelPulls = 2 };
        lab.Reopen();
        foreach (int i in new[] { 0, 1, 2 })
        {
            await new ImageBuilder().RandomLayer("big", 2_000_000).PushAsync($"{lab.Registry.Host}/app:{i}");
        }

        line.BytesPerConnection = 500_000;
        using CancellationTokenSource cancel = new();
        Task<string>[] pulls = [.. Enumerable.Range(0, 3).Select(i => lab.Store.PullAsync(new ImagePullRequest { Reference = $"{line.Host}/app:{i}" }, cancel.Token))];
        string Copying() => string.Join('\n', lab.LogLines.Where(text => text.Contains("of them are here", StringComparison.Ordinal)));
        await ImagePullTests.UntilAsync(() => Copying().Split('\n').Length == 2 && Copying().Length > 0);
        await Task.Delay(TimeSpan.FromMilliseconds(500), ImageLab.Deadline);

        Assert.Equal(2, Copying().Split('\n').Length);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.WhenAll(pulls));
        line.BytesPerConnection = long.MaxValue;
        Assert.Equal(3, (await Task.WhenAll(Enumerable.Range(0, 3).Select(i => lab.PullByNameAsync($"{line.Host}/app:{i}")))).Distinct().Count());
    }
}
