using System.Globalization;
using System.Text;
using CliWrap;
using Vks.Spherelet.Images;
using Vks.Tests.Kit;

namespace Vks.Tests.Spherelet;

/// <summary>Layers through the merger and the real disk builder, read back by other programs; hostile archives.</summary>
public sealed class LayerMergerTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vks-test-layers-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Everything_that_a_layer_can_hold_comes_out_of_a_mounted_disk()
    {
        string longName = new string('n', 255);
        string deep = string.Join('/', Enumerable.Repeat(new string('d', 90), 5));
        byte[] capability = [1, 0, 0, 2, 0x80, 0x0a, 0x3d, 0, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        string disk = await BuildAsync(new ImageBuilderTar()
            .Dir("./", 0x1c9)
            .Add(new TarEntry { Kind = TarEntryKind.File, Path = "suid", Mode = 0x9ed, Uid = 5_000_000, Gid = 4_000_000_000, MtimeSeconds = 1_234_567_890 }, "s"u8.ToArray())
            .Add(new TarEntry { Kind = TarEntryKind.File, Path = "ping", Mode = 0x1ed, Xattrs = [new("security.capability", capability), new("user.note", "a\nb"u8.ToArray()), new("trusted.overlay.opaque", "y"u8.ToArray())] }, "p"u8.ToArray())
            .Add(new TarEntry { Kind = TarEntryKind.CharDevice, Path = "null", Mode = 0x1b6, DeviceMajor = 1, DeviceMinor = 3 })
            .Add(new TarEntry { Kind = TarEntryKind.BlockDevice, Path = "loop", Mode = 0x1b0, DeviceMajor = 7, DeviceMinor = 300 })
            .Add(new TarEntry { Kind = TarEntryKind.Fifo, Path = "pipe", Mode = 0x1a4 })
            .File(longName, "long").File($"{deep}/file", "deep").Symlink("link", "../../../etc/passwd").Symlink("longlink", deep)
            .File("new\nline", "nl").File("latin\u00e9", "not utf-8").File("/absolute", "inside").HardLink("hard", "suid"));

        Dictionary<string, string> seen = await MountAndReadAsync(disk);

        Assert.StartsWith("d 711 0:0", seen[""], StringComparison.Ordinal);
        Assert.Matches(@"^f 4755 5000000:4000000000 2 1234567890[.0]* s$", seen["suid"]);
        Assert.Equal(seen["suid"], seen["hard"]);
        Assert.Matches(@"^c 666 0:0 .* 1,3$", seen["null"]);
        Assert.Matches(@"^b 660 0:0 .* 7,300$", seen["loop"]);
        Assert.StartsWith("p 644", seen["pipe"], StringComparison.Ordinal);
        Assert.EndsWith(" long", seen[longName], StringComparison.Ordinal);
        Assert.EndsWith(" deep", seen[$"{deep}/file"], StringComparison.Ordinal);
        Assert.EndsWith(" ../../../etc/passwd", seen["link"], StringComparison.Ordinal);
        Assert.EndsWith(" " + deep, seen["longlink"], StringComparison.Ordinal);
        Assert.EndsWith(" nl", seen["new\nline"], StringComparison.Ordinal);
        Assert.EndsWith(" not utf-8", seen["latin\u00e9"], StringComparison.Ordinal);
        Assert.EndsWith(" inside", seen["absolute"], StringComparison.Ordinal);
        Assert.Equal($"user.note=a\nb\nsecurity.capability=0x{Convert.ToHexString(capability)}\n", await OutputAsync("rdsquashfs", "-x", "ping", disk));
    }

    [Fact]
    public async Task A_hard_link_keeps_its_content_when_a_higher_layer_replaces_or_removes_the_target()
    {
        string disk = await BuildAsync(
            new ImageBuilderTar().File("target", "old").File("other", "kept"),
            new ImageBuilderTar().HardLink("link", "target").HardLink("second", "link").HardLink("third", "other"),
            new ImageBuilderTar().File("target", "new").Whiteout("", "other"));

        Assert.Equal("new", await ImageLab.ReadDiskAsync(disk, "target"));
        Assert.Equal("old", await ImageLab.ReadDiskAsync(disk, "link"));
        Assert.Equal("old", await ImageLab.ReadDiskAsync(disk, "second"));
        Assert.Equal("kept", await ImageLab.ReadDiskAsync(disk, "third"));
        Assert.DoesNotContain(await ImageLab.ListDiskAsync(disk), line => line.EndsWith("/other", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_layer_that_writes_through_a_lower_symlink_replaces_the_link_and_reaches_nothing_else()
    {
        string disk = await BuildAsync(
            new ImageBuilderTar().Symlink("out", "/etc").Symlink("up", "../../..").File("etc/passwd", "safe"),
            new ImageBuilderTar().File("out/passwd", "evil").File("up/escaped", "evil"));

        Assert.Equal("safe", await ImageLab.ReadDiskAsync(disk, "etc/passwd"));
        Assert.Equal("evil", await ImageLab.ReadDiskAsync(disk, "out/passwd"));
        Assert.Equal("evil", await ImageLab.ReadDiskAsync(disk, "up/escaped"));
    }

    [Fact]
    public async Task Whiteouts_hide_lower_layers_only_wherever_they_stand_in_the_archive()
    {
        string disk = await BuildAsync(
            new ImageBuilderTar().File("d/low", "1").File("e/low", "1").File("f", "1"),
            new ImageBuilderTar().File("d/high", "2").Opaque("d").Whiteout("", "e").File("e/high", "2").File("f", "2").Whiteout("", "f").File(".wh..wh.plnk/junk"));

        string[] names = [.. (await ImageLab.ListDiskAsync(disk)).Select(line => line[line.IndexOf("squashfs-root", StringComparison.Ordinal)..])];
        Assert.Equal(["squashfs-root", "squashfs-root/d", "squashfs-root/d/high", "squashfs-root/e", "squashfs-root/e/high", "squashfs-root/f"], names);
        Assert.Equal("2", await ImageLab.ReadDiskAsync(disk, "f"));
    }

    [Fact]
    public async Task An_image_without_layers_is_an_empty_disk()
    {
        Assert.Single(await ImageLab.ListDiskAsync(await BuildAsync()));
    }

    public static TheoryData<string, string> Hostile => new()
    {
        { "../escape", "'..'" },
        { "a/../../escape", "'..'" },
        { new string('x', 256), "255" },
        { ".wh.", "whiteout" },
        { "a/.wh...", "whiteout" },
        { ".wh.x/y", "whiteout" },
        { string.Join('/', Enumerable.Repeat("ab", 2000)), "4096" },
    };

    [Theory]
    [MemberData(nameof(Hostile))]
    public async Task A_path_that_cannot_be_in_an_image_is_refused(string path, string reason)
    {
        LayerException fault = await Assert.ThrowsAsync<LayerException>(() => PlanAsync(new ImageBuilderTar().File(path, "x")));

        Assert.Equal(ImageFault.Corrupt, fault.Fault);
        Assert.Contains(reason, fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../out")]
    [InlineData("nowhere")]
    [InlineData("d")]
    public async Task A_hard_link_to_nothing_or_to_a_directory_or_outside_is_refused(string target) =>
        Assert.Equal(ImageFault.Corrupt, (await Assert.ThrowsAsync<LayerException>(() => PlanAsync(new ImageBuilderTar().Dir("d").HardLink("l", target)))).Fault);

    public static TheoryData<string, byte[]> Malformed => new()
    {
        { "checksum", new byte[] { 1 }.Concat(new byte[511]).ToArray() },
        { "ends", ImageBuilderTar.Header("f", '0', "00000001000") },
        { "ends", ImageBuilderTar.Header("f", '0')[..200] },
        { "type", ImageBuilderTar.Header("f", 'Z') },
        { "sparse", ImageBuilderTar.Header("f", 'S') },
        { "octal", ImageBuilderTar.Header("f", '0', "9999999999x") },
        { "size", [.. ImageBuilderTar.Header("f", '0', "\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff")] },
        { "extended header says", ImageBuilderTar.Header("f", 'x', "77777777777") },
        { "right length", [.. ImageBuilderTar.Header("f", 'x', "00000000010"), .. ImageBuilderTar.Padded("99999 a="u8.ToArray())] },
        { "right length", [.. ImageBuilderTar.Header("f", 'x', "00000000010"), .. ImageBuilderTar.Padded("-3 a=b\n "u8.ToArray())] },
        { "NUL", PaxThenFile("path", "a\0b"u8.ToArray()) },
        { "not a number", PaxThenFile("size", "1e5"u8.ToArray()) },
        { "size is -5", PaxThenFile("size", "-5"u8.ToArray()) },
        { "owner", PaxThenFile("uid", "99999999999"u8.ToArray()) },
        { "sparse", PaxThenFile("GNU.sparse.major", "1"u8.ToArray()) },
        { "after an extended header", [.. ImageBuilderTar.Header("f", 'L', "00000000004"), .. ImageBuilderTar.Padded("name"u8.ToArray())] },
        { "hard link", ImageBuilderTar.Header("f", '1', link: "") },
        { "root of the image", ImageBuilderTar.Header("/", '2', link: "etc") },
    };

    [Theory]
    [MemberData(nameof(Malformed))]
    public async Task A_malformed_archive_is_refused_with_its_reason(string reason, byte[] archive)
    {
        LayerException fault = await Assert.ThrowsAsync<LayerException>(() => PlanAsync(archive));

        Assert.Equal(ImageFault.Corrupt, fault.Fault);
        Assert.Contains(reason, fault.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_layer_larger_than_allowed_is_refused()
    {
        LayerException fault = await Assert.ThrowsAsync<LayerException>(() => PlanAsync(new ImageBuilderTar().File("zeros", new string('0', 3 << 20)).ToArray(), maxBytes: 1 << 20));

        Assert.Contains("1 MiB", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_cut_gzip_layer_is_refused()
    {
        string path = Path.Combine(_folder, "cut");
        ImageBuilder image = new ImageBuilder().RandomLayer("f", 100_000);
        image.Write(Path.Combine(_folder, "layout"));
        byte[] blob = await File.ReadAllBytesAsync(Path.Combine(_folder, "layout", "blobs", "sha256", image.LayerDigests[0]["sha256:".Length..]), ImageLab.Deadline);
        await File.WriteAllBytesAsync(path, blob[..60_000], ImageLab.Deadline);

        LayerException fault = await Assert.ThrowsAsync<LayerException>(() =>
            LayerMerger.PlanAsync([new ImageLayer("sha256:x", path, "sha256:y")], 1 << 30, ImageLab.Deadline));

        Assert.Equal(ImageFault.Corrupt, fault.Fault);
    }

    [Fact]
    public async Task Gnu_long_names_and_old_tars_are_read()
    {
        string name = new string('g', 150);
        byte[] archive =
        [
            .. ImageBuilderTar.Header("././@LongLink", 'L', "00000000227", "ustar  \0"), .. ImageBuilderTar.Padded(Encoding.ASCII.GetBytes(name + "\0")),
            .. ImageBuilderTar.Header("short", '0', "00000000002", "ustar  \0"), .. ImageBuilderTar.Padded("hi"u8.ToArray()),
            .. ImageBuilderTar.Header("olddir/", '\0', magic: ""), .. new byte[1024],
        ];

        string[] lines = await ImageLab.ListDiskAsync(await BuildArchivesAsync(archive));

        Assert.Contains(lines, line => line.EndsWith("squashfs-root/" + name, StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith('d') && line.EndsWith("squashfs-root/olddir", StringComparison.Ordinal));
    }

    private static byte[] PaxThenFile(string key, byte[] value)
    {
        byte[] pax = ImageBuilderTar.Pax(key, value);
        return [.. ImageBuilderTar.Header("pax", 'x', Convert.ToString(pax.Length, 8).PadLeft(11, '0')), .. ImageBuilderTar.Padded(pax), .. ImageBuilderTar.Header("f", '0')];
    }

    private ImageLayer[] Layers(byte[][] archives) => [.. archives.Select((archive, i) =>
    {
        string path = Path.Combine(_folder, i.ToString(CultureInfo.InvariantCulture));
        File.WriteAllBytes(path, archive);
        return new ImageLayer(ImageBuilder.Digest(archive), path, ImageBuilder.Digest(archive));
    })];

    private Task<MergedTarPlan> PlanAsync(ImageBuilderTar archive) => PlanAsync(archive.ToArray());

    private Task<MergedTarPlan> PlanAsync(byte[] archive, long maxBytes = 1 << 30) => LayerMerger.PlanAsync(Layers([archive]), maxBytes, ImageLab.Deadline);

    private Task<string> BuildAsync(params ImageBuilderTar[] layers) => BuildArchivesAsync([.. layers.Select(layer => layer.ToArray())]);

    private async Task<string> BuildArchivesAsync(params byte[][] layers)
    {
        string disk = Path.Combine(_folder, "disk.sqfs");
        await RootDisk.BuildAsync("test", Layers(layers), disk + ".tmp", disk, 1 << 30, ImageLab.Deadline);
        return disk;
    }

    /// <summary>The kernel's own view: kind, mode, owner, links, time, link target, device numbers, content, by path.</summary>
    private async Task<Dictionary<string, string>> MountAndReadAsync(string disk)
    {
        string mount = Path.Combine(_folder, "mnt");
        Directory.CreateDirectory(mount);
        await Cli.Wrap("mount").WithArguments(["-t", "squashfs", "-o", "loop,ro", disk, mount]).ExecuteAsync(ImageLab.Deadline);
        try
        {
            string listed = await OutputAsync("find", mount, "-printf", "%P\\0%y %m %U:%G %n %T@ %l\\0");
            string devices = await OutputAsync("find", mount, "(", "-type", "b", "-o", "-type", "c", ")", "-exec", "stat", "--printf", "%n\\0%Hr,%Lr\\0", "{}", "+");
            string contents = await OutputAsync("find", mount, "-type", "f", "-printf", "%P\\0", "-exec", "cat", "{}", ";", "-printf", "\\0");
            Dictionary<string, string> seen = Pairs(listed).ToDictionary(pair => pair.Key, pair => pair.Value, StringComparer.Ordinal);
            foreach ((string path, string more) in Pairs(devices).Select(pair => (pair.Key[(mount.Length + 1)..], pair.Value)).Concat(Pairs(contents).Select(pair => (pair.Key, pair.Value))))
            {
                seen[path] += more;
            }

            return seen;
        }
        finally
        {
            await Cli.Wrap("umount").WithArguments([mount]).ExecuteAsync(ImageLab.Deadline);
        }
    }

    private static IEnumerable<KeyValuePair<string, string>> Pairs(string text) =>
        text.Split('\0')[..^1].Chunk(2).Select(pair => KeyValuePair.Create(pair[0], pair[1]));

    private static async Task<string> OutputAsync(string program, params string[] arguments)
    {
        using MemoryStream output = new();
        await Cli.Wrap(program).WithArguments(arguments).WithStandardOutputPipe(PipeTarget.ToStream(output)).ExecuteAsync(ImageLab.Deadline);
        return Encoding.Latin1.GetString(output.ToArray());
    }
}
