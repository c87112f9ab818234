using Microsoft.Win32.SafeHandles;
using Vks.Runtime.Host;
using Vks.Runtime.Templates;

namespace Vks.Tests.Runtime;

/// <summary>Templates on disk: what was written is what is opened, or nothing is.</summary>
public sealed class TemplateStoreTests : IDisposable
{
    private const int MiB = 1024 * 1024;
    private static readonly TemplateShape Shape = new(1, 128, 256, HasNetwork: true, HasShare: true);
    private static readonly TemplateKey Key = new(Shape, "-smp 1", "qemu 1 2", "kernel", "initramfs", "host", "rehearsal");
    private static readonly DiskBlock[] Scratch = [new(4096, [7, 8]), new(200L * 1024 * 1024, [9])];
    private readonly string _folder = Directory.CreateTempSubdirectory("vks-test-store-").FullName;
    private readonly TemplateStore _store;

    public TemplateStoreTests() => _store = new TemplateStore(Path.Combine(_folder, "templates"));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void What_was_written_is_what_is_opened_and_zeros_take_no_room()
    {
        Publish("one");

        using Template template = _store.Open("one", Token)!;
        byte[] memory = new byte[3 * MiB];
        RandomAccess.Read(template.Memory, memory, 0);

        Assert.Equal(Shape, template.Record.Shape);
        Assert.Equal(3 * MiB, RandomAccess.GetLength(template.Memory));
        Assert.Equal(2, memory.Count(value => value != 0));
        Assert.Equal(((byte)1, (byte)2), (memory[5], memory[(2 * MiB) + 4096]));
        Assert.Equal(2 * 4096, template.Record.DataBytes);
        Assert.True(_store.SizeOf("one") < MiB, $"{_store.SizeOf("one")} bytes on disk");
        Assert.True(template.IsUntouched);
        using SafeFileHandle state = template.OpenState();
        Assert.Equal(5, RandomAccess.GetLength(state));
        Assert.Equal(Scratch.Select(block => (block.Offset, Convert.ToHexString(block.Bytes))), template.Scratch.Select(block => (block.Offset, Convert.ToHexString(block.Bytes))));
        Assert.Null(_store.Open("two", Token));
    }

    [Theory]
    [InlineData("memory", 5)]
    [InlineData("memory", MiB)] // in a hole
    [InlineData("state", 2)]
    [InlineData("scratch", 13)]
    public void A_byte_that_changed_is_noticed(string file, long offset)
    {
        Publish("one");
        Change(Path.Combine(_folder, "templates", "one", file), offset);

        Assert.Contains("does not hold what was written", Assert.Throws<InvalidDataException>(() => _store.Open("one", Token)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("template.json")]
    [InlineData("memory")]
    [InlineData("state")]
    [InlineData("scratch")]
    public void A_file_that_is_missing_or_cut_short_is_noticed(string file)
    {
        foreach (bool missing in new[] { true, false })
        {
            Publish("one");
            string path = Path.Combine(_folder, "templates", "one", file);
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            if (missing)
            {
                File.Delete(path);
            }
            else
            {
                using SafeFileHandle handle = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite);
                RandomAccess.SetLength(handle, RandomAccess.GetLength(handle) - 1);
            }

            Assert.Throws<InvalidDataException>(() => _store.Open("one", Token));
        }
    }

    [Fact]
    public void A_write_to_an_open_template_is_noticed()
    {
        Publish("one");
        using Template template = _store.Open("one", Token)!;

        Change(Path.Combine(_folder, "templates", "one", "memory"), 5);

        Assert.False(template.IsUntouched);
    }

    [Fact]
    public void A_deleted_template_can_still_be_read_by_who_has_it_open()
    {
        Publish("one");
        using Template template = _store.Open("one", Token)!;

        _store.Delete("one");
        _store.Delete("one");

        byte[] first = new byte[6];
        RandomAccess.Read(template.Memory, first, 0);
        Assert.Equal(1, first[5]);
        using SafeFileHandle state = template.OpenState();
        Assert.Equal(5, RandomAccess.GetLength(state)); // a start that is about to use it still can
        Assert.Empty(_store.Names());
    }

    [Fact]
    public void Names_come_least_recently_used_first()
    {
        Array.ForEach(["one", "two", "three"], Publish);
        DateTimeOffset now = DateTimeOffset.UnixEpoch;
        _store.Touch("three", now.AddSeconds(1));
        _store.Touch("one", now.AddSeconds(2));
        _store.Touch("two", now.AddSeconds(3));

        Assert.Equal(["three", "one", "two"], _store.Names());
    }

    [Fact]
    public void Whatever_a_template_was_made_of_makes_it_another()
    {
        TemplateKey[] keys =
        [
            Key, Key with { Arguments = "-smp 2" }, Key with { Qemu = "qemu 1 3" }, Key with { Kernel = "newer" }, Key with { Initramfs = "newer" }, Key with { Host = "another" }, Key with { Rehearsal = "another" },
            Key with { Shape = Shape with { VcpuCount = 2 } }, Key with { Shape = Shape with { MemoryMiB = 129 } }, Key with { Shape = Shape with { ScratchMiB = 0 } },
            Key with { Shape = Shape with { HasNetwork = false } }, Key with { Shape = Shape with { HasShare = false } },
        ];
        string[] names = [.. keys.Select(key => key.Name)];

        Assert.Equal(keys.Length, names.Distinct().Count());
        Assert.Equal(Key.Name, names[0]);
    }

    private static void Change(string path, long offset)
    {
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using SafeFileHandle handle = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite);
        RandomAccess.Write(handle, [99], offset);
        File.SetLastWriteTimeUtc(handle, DateTime.UnixEpoch); // a clock's tick is coarse
    }

    private void Publish(string name)
    {
        using SafeFileHandle memory = MemoryFile.Create("test");
        using SafeFileHandle state = MemoryFile.Create("test");
        RandomAccess.SetLength(memory, 3 * MiB);
        RandomAccess.Write(memory, [1], 5);
        RandomAccess.Write(memory, [2], (2 * MiB) + 4096);
        RandomAccess.Write(memory, new byte[MiB], MiB); // written, and zeros all the same
        RandomAccess.Write(state, "state"u8, 0);
        string work = Path.Combine(_folder, "work-" + Guid.NewGuid().ToString("N"));
        TemplateStore.Write(work, Shape, new GuestImage(memory, state, Scratch), DateTimeOffset.UnixEpoch, Token);
        _store.Publish(work, name);
    }
}
