using System.Net.Sockets;
using CliWrap;
using Microsoft.Extensions.Logging.Abstractions;
using Vks.Runtime.Host;
using Vks.Runtime.Machines;
using Vks.Tests.Kit;

namespace Vks.Tests.Runtime;

/// <summary>Daemons that are killed: afterwards each machine runs or is gone whole.</summary>
public sealed class EngineCrashTests
{
    private const string FolderVariable = "VKS_TEST_ENGINE_FOLDER";
    private const int Kills = 24;
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(90);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_daemon_killed_at_any_moment_leaves_machines_that_run_or_nothing()
    {
        int ran = 0;
        int gone = 0;
        for (int kill = 0; kill < Kills; kill++)
        {
            await using EngineLab lab = new();
            MachineId id = EngineLab.NewId();

            // Every eighth lives until the machine runs; the others die somewhere between the first step and a little after the last.
            TimeSpan delay = TimeSpan.FromMilliseconds(kill % 8 == 7 ? -1 : Random.Shared.Next(0, kill % 2 == 0 ? 200 : 4000));
            await RunDaemonAndKillItAsync(lab, id, delay);

            await using CrxEngine engine = lab.NewEngine();
            await engine.AdoptAsync(Token).WaitAsync(Deadline, Token);
            if (engine.Find(id) is { } machine)
            {
                ran++;
                Assert.Equal(MachineState.Running, machine.Current.State);
                await EngineTests.PingAsync(machine);
                await engine.RemoveAsync(id, Token).WaitAsync(Deadline, Token);
            }
            else
            {
                gone++;
            }

            IReadOnlyList<string> left = lab.Leftovers(id);
            Assert.True(left.Count == 0, $"Killed after {delay}: {string.Join(", ", left)}");
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{Kills} kills: {ran} machines ran on, {gone} were gone whole");
        Assert.True(ran >= Kills / 8, $"only {ran} machines ran on");
    }

    [Fact]
    public async Task What_no_record_explains_is_cleaned_away()
    {
        await using EngineLab lab = new();
        MachineId junk = EngineLab.NewId();
        string state = Path.Combine(lab.Options.RootDirectory, "machines", junk.Value);
        string sockets = Path.Combine(lab.Options.RuntimeDirectory, "machines", EngineLab.NewId().Value);
        string foreign = Path.Combine(lab.Options.RootDirectory, "machines", "Not_a_machine");
        Directory.CreateDirectory(state);
        Directory.CreateDirectory(sockets);
        Directory.CreateDirectory(foreign);
        await File.WriteAllTextAsync(Path.Combine(state, "machine.json"), """{ "version": 1, "spec": { "id": """, Token);
        await File.WriteAllTextAsync(Path.Combine(sockets, "qmp.sock"), "", Token);

        await lab.NewEngine().AdoptAsync(Token).WaitAsync(Deadline, Token);

        Assert.Empty(lab.Leftovers(junk));
    }

    [Fact]
    public async Task A_process_id_that_means_another_process_now_is_left_alone()
    {
        await using EngineLab lab = new();
        CrxEngine before = lab.NewEngine();
        MachineSpec spec = EngineLab.NewSpec();
        Machine machine = await before.CreateAsync(spec, Token).WaitAsync(Deadline, Token);
        string path = Path.Combine(lab.Options.RootDirectory, "machines", spec.Id.Value, "machine.json");
        await before.DisposeAsync();
        MachineRecord record = MachineStore.Read(path);
        MachineStore.Write(path, record with { QemuPid = Environment.ProcessId }, durable: false);

        CrxEngine after = lab.NewEngine();
        await after.AdoptAsync(Token).WaitAsync(Deadline, Token);

        Assert.Empty(after.Machines); // and this process lives to say so; the real QEMU was found by its name and ended
        Assert.Empty(lab.Leftovers(spec.Id));
        Assert.NotEqual(0, machine.Spec.MemoryMiB);
    }

    [Fact(Explicit = true)]
    public async Task Acts_as_a_daemon_that_will_be_killed()
    {
        string folder = Environment.GetEnvironmentVariable(FolderVariable)
            ?? throw new InvalidOperationException($"This is the child of another test; {FolderVariable} is not set.");
        MachineId id = MachineId.Parse(await File.ReadAllTextAsync(Path.Combine(folder, "id"), Token));
        using Socket parent = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await parent.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(folder, "parent.sock")), Token);
        await using CrxEngine engine = new(EngineLab.OptionsFor(folder), TimeProvider.System, NullLoggerFactory.Instance);
        await engine.AdoptAsync(Token);

        await parent.SendAsync("b"u8.ToArray(), Token);
        await engine.CreateAsync(new MachineSpec { Id = id, MemoryMiB = 128, ScratchMiB = 64 }, Token);
        await parent.SendAsync("r"u8.ToArray(), Token);
        await Task.Delay(Deadline, Token);
    }

    /// <summary>Starts this very program as the daemon, waits until it begins a machine, then the delay (-1: until the machine runs), and kills it.</summary>
    private static async Task RunDaemonAndKillItAsync(EngineLab lab, MachineId id, TimeSpan delay)
    {
        await File.WriteAllTextAsync(Path.Combine(lab.Folder, "id"), id.Value, Token);
        using Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(Path.Combine(lab.Folder, "parent.sock")));
        listener.Listen();
        using CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(Token);
        deadline.CancelAfter(Deadline);

        CommandTask<CommandResult> daemon = Cli.Wrap(Path.Combine(AppContext.BaseDirectory, "Vks.Tests"))
            .WithArguments(["--explicit", "only", "--filter-method", $"{typeof(EngineCrashTests).FullName}.{nameof(Acts_as_a_daemon_that_will_be_killed)}", "--no-progress"])
            .WithEnvironmentVariables(variables => variables.Set(FolderVariable, lab.Folder))
            .WithStandardOutputPipe(PipeTarget.ToFile(Path.Combine(lab.Folder, "daemon.log")))
            .WithValidation(CommandResultValidation.None)
            .ExecuteAsync(CancellationToken.None);
        try
        {
            using Socket child = await AcceptAsync(listener, daemon.Task, deadline.Token);
            var word = new byte[1];
            Assert.Equal(1, await child.ReceiveAsync(word, deadline.Token));
            if (delay >= TimeSpan.Zero)
            {
                await Task.Delay(delay, deadline.Token);
            }
            else
            {
                Assert.Equal(1, await child.ReceiveAsync(word, deadline.Token));
                Assert.Equal((byte)'r', word[0]);
            }
        }
        finally
        {
            // The daemon alone: CliWrap's own killing would take its QEMUs along.
            using (PidFd process = PidFd.Open(daemon.ProcessId))
            {
                process.Signal(9);
            }

            await daemon.Task.WaitAsync(Deadline, Token);
        }
    }

    private static async Task<Socket> AcceptAsync(Socket listener, Task daemon, CancellationToken cancellationToken)
    {
        Task<Socket> accepted = listener.AcceptAsync(cancellationToken).AsTask();
        await Task.WhenAny(accepted, daemon);
        return accepted.IsCompleted ? await accepted : throw new InvalidOperationException("The daemon ended before it connected.");
    }
}
