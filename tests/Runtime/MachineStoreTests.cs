using CsCheck;
using Vks.Runtime.Machines;

namespace Vks.Tests.Runtime;

public sealed class MachineStoreTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vks-test-store-").FullName;

    private string RecordPath => Path.Combine(_folder, "machine.json");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void What_is_written_is_read()
    {
        MachineRecord record = Sample();

        MachineStore.Write(RecordPath, record, durable: true);
        MachineRecord read = MachineStore.Read(RecordPath);

        Assert.Equal(record.Spec.Id, read.Spec.Id);
        Assert.Equal(record.Spec.Network, read.Spec.Network);
        Assert.Equal("yes", read.Spec.Labels["mine"]);
        Assert.Equal(record.Disks, read.Disks);
        Assert.Equal(record.Stages, read.Stages);
        Assert.Equal((record.QemuPid, record.QemuStartTicks, record.UserId, record.Since), (read.QemuPid, read.QemuStartTicks, read.UserId, read.Since));
        Assert.Equal([RecordPath], Directory.EnumerateFiles(_folder));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(RecordPath));
    }

    [Fact]
    public void Another_version_is_refused_in_words()
    {
        MachineStore.Write(RecordPath, Sample() with { Version = 7 }, durable: false);

        var refused = Assert.Throws<InvalidDataException>(() => MachineStore.Read(RecordPath));

        Assert.Contains("version 7", refused.Message, StringComparison.Ordinal);
        Assert.Contains(RecordPath, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_record_cut_short_anywhere_is_refused_and_never_half_read()
    {
        MachineStore.Write(RecordPath, Sample(), durable: false);
        byte[] whole = File.ReadAllBytes(RecordPath);
        int meaningful = whole.AsSpan().TrimEnd((byte)'\n').Length;

        Gen.Int[0, meaningful - 1].Sample(length =>
        {
            File.WriteAllBytes(RecordPath, whole[..length]);
            Assert.Throws<InvalidDataException>(() => MachineStore.Read(RecordPath));
        });
    }

    [Fact]
    public void Rubbish_and_nothing_are_refused()
    {
        Assert.Throws<InvalidDataException>(() => MachineStore.Read(RecordPath));
        File.WriteAllBytes(RecordPath, [0, 1, 2, 0xff]);
        Assert.Throws<InvalidDataException>(() => MachineStore.Read(RecordPath));
        File.WriteAllText(RecordPath, "null");
        Assert.Throws<InvalidDataException>(() => MachineStore.Read(RecordPath));
    }

    [Theory]
    [InlineData("\"spec\": {", "\"spec\": null, \"x\": {")]
    [InlineData("\"spec\": {", "\"unknown\": 1, \"spec\": {")]
    [InlineData("\"0123456789ab\"", "\"../../etc\"")]
    [InlineData("\"0123456789ab\"", "null")]
    [InlineData("\"path\": \"/var/lib/x\"", "\"path\": null")]
    [InlineData("\"started\": true,", "")]
    public void A_record_that_is_not_whole_is_refused(string written, string changed)
    {
        MachineStore.Write(RecordPath, Sample(), durable: false);
        string text = File.ReadAllText(RecordPath);
        Assert.Contains(written, text, StringComparison.Ordinal);
        File.WriteAllText(RecordPath, text.Replace(written, changed, StringComparison.Ordinal));

        var refused = Assert.Throws<InvalidDataException>(() => MachineStore.Read(RecordPath));

        Assert.Contains(RecordPath, refused.Message, StringComparison.Ordinal);
    }

    private static MachineRecord Sample() => new()
    {
        Version = MachineRecord.CurrentVersion,
        Started = true,
        UserId = 2_000_017,
        QemuPid = 4711,
        QemuStartTicks = 123_456_789_012,
        HostBootId = "b",
        KernelRelease = "6.1",
        Since = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero),
        Stages = [new StageTime("qemu", TimeSpan.FromMilliseconds(17))],
        Disks = [new DiskAttachment("img", "/var/lib/x", true)],
        Spec = new MachineSpec
        {
            Id = MachineId.Parse("0123456789ab"),
            ScratchMiB = 64,
            Network = new NetworkAttachment("/run/netns/x", "tap0", "02:00:00:00:00:01", 1500),
            Labels = new Dictionary<string, string> { ["mine"] = "yes" },
        },
    };
}
