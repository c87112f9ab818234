using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Machines;
using Vks.Runtime.Templates;
using Vks.Tests.Kit;

namespace Vks.Tests.Runtime;

/// <summary>Machines that start from a template: a booted guest that was saved.</summary>
public sealed class TemplateTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(150);
    private static readonly TemplateShape Small = new(VcpuCount: 1, MemoryMiB: 128, ScratchMiB: 0, HasNetwork: false, HasShare: false);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_first_machine_boots_and_later_ones_start_from_its_template_each_a_guest_of_its_own()
    {
        await using EngineLab lab = new(templates: true);
        CrxEngine engine = lab.NewEngine();

        Machine booted = await CreateAsync(engine);
        Assert.True(await engine.WantTemplateAsync(Small, Token).WaitAsync(Deadline, Token));
        Machine first = await CreateAsync(engine);
        Machine second = await CreateAsync(engine);

        Assert.Null(booted.Current.Template);
        Assert.NotNull(first.Current.Template);
        Assert.Equal(first.Current.Template, second.Current.Template);
        Assert.Equal(["files", "launch", "qemu", "restore", "agent"], first.Current.Stages.Select(stage => stage.Name));
        await first.StopAsync(TimeSpan.FromSeconds(30), Token).WaitAsync(Deadline, Token);
        Assert.Null(first.Current.Reason); // it powered off by itself, as one that booted
        await PingAsync(second);
    }

    [Fact]
    public async Task A_machine_that_shares_no_memory_boots()
    {
        await using EngineLab lab = new(templates: true);
        CrxEngine engine = lab.NewEngine();
        Assert.True(await engine.WantTemplateAsync(Small, Token).WaitAsync(Deadline, Token));

        Machine machine = await CreateAsync(engine, EngineLab.NewSpec() with { Isolated = true });

        Assert.Null(machine.Current.Template);
    }

    [Fact]
    public async Task A_clone_is_taken_back_by_the_next_daemon_even_if_its_template_is_gone()
    {
        await using EngineLab lab = new(templates: true);
        CrxEngine before = lab.NewEngine();
        Assert.True(await before.WantTemplateAsync(Small, Token).WaitAsync(Deadline, Token));
        Machine clone = await CreateAsync(before);
        await before.DisposeAsync();
        Directory.Delete(Path.Combine(lab.Options.RootDirectory, "templates"), recursive: true);

        CrxEngine after = lab.NewEngine();
        await after.AdoptAsync(Token).WaitAsync(Deadline, Token);

        Machine adopted = Assert.Single(after.Machines);
        Assert.Equal(clone.Current.Template, adopted.Current.Template);
        await PingAsync(adopted);
    }

    [Fact]
    public async Task The_next_daemon_uses_the_template_it_finds_if_it_is_whole_and_makes_it_anew_if_not()
    {
        await using EngineLab lab = new(templates: true);
        CrxEngine first = lab.NewEngine();
        Assert.True(await first.WantTemplateAsync(Small, Token).WaitAsync(Deadline, Token));
        await first.DisposeAsync();
        string record = Directory.GetFiles(lab.Options.RootDirectory, "template.json", SearchOption.AllDirectories).Single();
        DateTimeOffset made = Made(record);

        CrxEngine second = lab.NewEngine();
        Assert.True(await second.WantTemplateAsync(Small, Token).WaitAsync(Deadline, Token));
        Assert.Equal(made, Made(record));
        Overwrite(Path.Combine(Path.GetDirectoryName(record)!, "memory"), 20 * 1024 * 1024);
        Machine booted = await CreateAsync(second); // it was open and checked, and still the write is seen
        await second.DisposeAsync();

        CrxEngine third = lab.NewEngine();
        await third.AdoptAsync(Token).WaitAsync(Deadline, Token);
        Assert.True(await third.WantTemplateAsync(Small, Token).WaitAsync(Deadline, Token));

        Assert.Null(booted.Current.Template);
        Assert.NotEqual(made, Made(record));
        Assert.NotNull((await CreateAsync(third)).Current.Template);
    }

    [Fact]
    public async Task A_template_that_gives_no_guest_is_dropped_and_the_machine_boots()
    {
        await using EngineLab lab = new(templates: true);
        CrxEngine first = lab.NewEngine();
        Assert.True(await first.WantTemplateAsync(Small, Token).WaitAsync(Deadline, Token));
        await first.DisposeAsync();
        string folder = Directory.GetDirectories(Path.Combine(lab.Options.RootDirectory, "templates")).Single();
        Falsify(folder);

        CrxEngine second = lab.NewEngine();
        Assert.True(await second.WantTemplateAsync(Small, Token).WaitAsync(Deadline, Token)); // it is what its record says
        Machine machine = await CreateAsync(second);

        Assert.Null(machine.Current.Template);
        await PingAsync(machine);
        Assert.True(await second.WantTemplateAsync(Small, Token).WaitAsync(Deadline, Token));
        Assert.NotNull((await CreateAsync(second)).Current.Template);
    }

    [Fact]
    public async Task Giving_up_the_engine_while_a_template_is_made_leaves_nothing()
    {
        await using EngineLab lab = new(templates: true);
        CrxEngine engine = lab.NewEngine();

        Task<bool> wanted = engine.WantTemplateAsync(Small, Token);
        await Eventually.TrueAsync(() => Task.FromResult(lab.Qemus().Count == 1), Deadline, () => "no QEMU came", Token);
        await engine.DisposeAsync();

        Assert.False(await wanted.WaitAsync(Deadline, Token));
        Assert.Empty(lab.Leftovers());
        Assert.False(Directory.Exists(Path.Combine(lab.Options.RootDirectory, "templates")));
    }

    [Fact]
    public async Task Templates_take_no_more_room_than_allowed_and_the_one_not_used_for_longest_goes()
    {
        await using EngineLab lab = new(templates: true);
        lab.Options = lab.Options with { TemplateBudgetMiB = 70 }; // one and a half
        CrxEngine engine = lab.NewEngine();

        Assert.True(await engine.WantTemplateAsync(Small, Token).WaitAsync(Deadline, Token));
        Machine clone = await CreateAsync(engine);
        Assert.True(await engine.WantTemplateAsync(Small with { MemoryMiB = 144 }, Token).WaitAsync(Deadline, Token));

        Assert.Single(Directory.GetDirectories(Path.Combine(lab.Options.RootDirectory, "templates")));
        Assert.NotNull((await CreateAsync(engine, EngineLab.NewSpec() with { MemoryMiB = 144 })).Current.Template);
        Assert.NotNull(clone.Current.Template);
        await PingAsync(clone); // lives on without its template
    }

    [Fact]
    public async Task No_frame_leaves_a_clone_before_it_has_its_own_address()
    {
        string netns = string.Create(CultureInfo.InvariantCulture, $"vks-clone-{Environment.ProcessId}");
        await CliWrap.Cli.Wrap("ip").WithArguments(["netns", "add", netns]).ExecuteAsync(Token);
        try
        {
            await CliWrap.Cli.Wrap("ip").WithArguments(["-n", netns, "tuntap", "add", "tap0", "mode", "tap", "vnet_hdr"]).ExecuteAsync(Token);
            await CliWrap.Cli.Wrap("ip").WithArguments(["-n", netns, "link", "set", "tap0", "up"]).ExecuteAsync(Token);
            await using EngineLab lab = new(templates: true);
            CrxEngine engine = lab.NewEngine();
            Assert.True(await engine.WantTemplateAsync(Small with { HasNetwork = true }, Token).WaitAsync(Deadline, Token));

            Machine machine = await CreateAsync(engine, EngineLab.NewSpec() with
            {
                Network = new NetworkAttachment($"/run/netns/{netns}", "tap0", "02:11:22:33:44:55", 1400),
            });
            await Task.Delay(TimeSpan.FromSeconds(2), Token); // QEMU by itself would announce the address five times in this time
            long before = await ReceivedAsync(netns);
            await machine.Guest.CallAsync(GuestMethods.Configure, Personality(), GuestJson.Default.GuestPersonality, GuestJson.Default.Empty, Token);
            await Eventually.TrueAsync(async () => await ReceivedAsync(netns) > 0, Deadline, () => "the guest says nothing at all", Token);

            Assert.NotNull(machine.Current.Template);
            Assert.Equal(0, before);
        }
        finally
        {
            await CliWrap.Cli.Wrap("ip").WithArguments(["netns", "del", netns]).ExecuteAsync(Token);
        }
    }

    private static GuestPersonality Personality() => new()
    {
        Hostname = "clone",
        WallClockUnixNanoseconds = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() * 1_000_000,
        Entropy = RandomNumberGenerator.GetBytes(64),
        MachineId = Guid.NewGuid().ToString("N"),
        Interfaces = [new GuestInterface("eth0", "02:11:22:33:44:55", 1400, ["fd00::5/64"])],
    };

    private static async Task<long> ReceivedAsync(string netns)
    {
        var output = new System.Text.StringBuilder();
        await CliWrap.Cli.Wrap("ip").WithArguments(["netns", "exec", netns, "cat", "/sys/class/net/tap0/statistics/rx_packets"])
            .WithStandardOutputPipe(CliWrap.PipeTarget.ToStringBuilder(output)).ExecuteAsync(Token);
        return long.Parse(output.ToString(), CultureInfo.InvariantCulture);
    }

    private static Task<Machine> CreateAsync(CrxEngine engine, MachineSpec? spec = null) =>
        engine.CreateAsync(spec ?? EngineLab.NewSpec(), Token).WaitAsync(Deadline, Token);

    private static Task<Empty> PingAsync(Machine machine) =>
        machine.Guest.CallAsync(GuestMethods.Ping, new Empty(), GuestJson.Default.Empty, GuestJson.Default.Empty, Token).WaitAsync(Deadline, Token);

    private static DateTimeOffset Made(string record) => JsonSerializer.Deserialize(File.ReadAllBytes(record), TemplateJson.Default.TemplateRecord)!.Made;

    private static void Overwrite(string path, long offset)
    {
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        RandomAccess.Write(file, RandomNumberGenerator.GetBytes(4096), offset);
    }

    /// <summary>A state that is no state, with a record that vouches for it.</summary>
    private static void Falsify(string folder)
    {
        string state = Path.Combine(folder, "state");
        string record = Path.Combine(folder, "template.json");
        byte[] junk = RandomNumberGenerator.GetBytes(4096);
        TemplateRecord known = JsonSerializer.Deserialize(File.ReadAllBytes(record), TemplateJson.Default.TemplateRecord)!;
        File.Delete(state);
        File.WriteAllBytes(state, junk);
        File.WriteAllBytes(record, JsonSerializer.SerializeToUtf8Bytes(
            known with { StateHash = Convert.ToHexStringLower(SHA256.HashData(junk)) }, TemplateJson.Default.TemplateRecord));
    }
}
