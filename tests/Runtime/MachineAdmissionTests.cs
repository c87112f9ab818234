using System.Collections.Immutable;
using System.Text.RegularExpressions;
using CsCheck;
using Vks.Runtime.Machines;
using Vks.Tests.Kit;

namespace Vks.Tests.Runtime;

public sealed partial class MachineAdmissionTests
{
    private static readonly DiskAttachment DiskA = new("a", "/disks/a", ReadOnly: true);
    private static readonly DiskAttachment DiskB = new("b", "/disks/b", ReadOnly: false);

    private static readonly MachineCommand[] Commands =
    [
        new MachineCommand.Start(), new MachineCommand.Stop(TimeSpan.FromSeconds(1)), new MachineCommand.Remove(),
        new MachineCommand.AttachDisk(DiskA), new MachineCommand.AttachDisk(DiskA with { Path = "/disks/other" }), new MachineCommand.AttachDisk(DiskB),
        new MachineCommand.DetachDisk("a"), new MachineCommand.DetachDisk("never"),
    ];

    [Fact]
    public void The_diagram_at_MachineState_is_the_transition_table()
    {
        string source = File.ReadAllText(RepositoryRoot.Combine("runtime", "Machines", "MachineState.cs"));
        (MachineState, MachineState)[] drawn =
            [.. Arrow().Matches(source).Select(match => (Enum.Parse<MachineState>(match.Groups[1].Value), Enum.Parse<MachineState>(match.Groups[2].Value)))];

        (MachineState, MachineState)[] allowed =
            [.. from before in Enum.GetValues<MachineState>() from after in Enum.GetValues<MachineState>() where MachineAdmission.MayBecome(before, after) select (before, after)];

        Assert.Equal(allowed.Order(), drawn.Order());
    }

    [Fact]
    public void Every_command_kind_is_decided_in_every_state()
    {
        Type[] kinds = [.. typeof(MachineCommand).GetNestedTypes(System.Reflection.BindingFlags.NonPublic).Where(type => type.IsSubclassOf(typeof(MachineCommand)))];
        Assert.Equal(kinds.ToHashSet(), Commands.Select(command => command.GetType()).ToHashSet());

        foreach (MachineState state in Enum.GetValues<MachineState>())
        {
            foreach (MachineCommand command in Commands)
            {
                Admission answer = MachineAdmission.Decide(state, ImmutableDictionary<string, DiskAttachment>.Empty, command);
                Assert.True(answer is not Admission.Refused refused || refused.Reason.Length > 10, $"{command} in {state}");
            }
        }
    }

    [Fact]
    public void In_any_order_of_commands_the_life_follows_the_table_and_ends()
    {
        Gen<int[]> orders = Gen.Int[0, Commands.Length + 2].Array[0, 60];
        orders.Sample(
            order =>
            {
                Life life = new();
                foreach (int step in order)
                {
                    life.Take(step);
                }

                life.Finish();
                return life.State == MachineState.Removed && life.Seen.Distinct().Count() == life.Seen.Count;
            },
            iter: 20_000);
    }

    [Fact]
    public void The_same_disk_twice_is_one_disk_and_a_taken_serial_is_refused()
    {
        var disks = ImmutableDictionary<string, DiskAttachment>.Empty.Add("a", DiskA);

        Assert.IsType<Admission.AlreadyAsked>(MachineAdmission.Decide(MachineState.Running, disks, new MachineCommand.AttachDisk(DiskA)));
        var refused = Assert.IsType<Admission.Refused>(
            MachineAdmission.Decide(MachineState.Running, disks, new MachineCommand.AttachDisk(DiskA with { Path = "/disks/other" })));
        Assert.Equal(MachineFault.DiskFailed, refused.Fault);
        Assert.Contains("/disks/a", refused.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Disks_are_bounded()
    {
        var full = Enumerable.Range(0, MachineAdmission.MaxDisks).ToImmutableDictionary(n => $"d{n}", n => new DiskAttachment($"d{n}", "/d", true));

        Assert.IsType<Admission.Refused>(MachineAdmission.Decide(MachineState.Running, full, new MachineCommand.AttachDisk(DiskA)));
    }

    [GeneratedRegex(@"/// (\w+)\s+──► (\w+) ", RegexOptions.CultureInvariant)]
    private static partial Regex Arrow();

    /// <summary>What a driver does with admissions, without everything that takes time.</summary>
    private sealed class Life
    {
        private ImmutableDictionary<string, DiskAttachment> _disks = ImmutableDictionary<string, DiskAttachment>.Empty;

        public MachineState State { get; private set; }

        public List<MachineState> Seen { get; } = [];

        public void Take(int step)
        {
            switch (step - Commands.Length)
            {
                case 0 when State == MachineState.Starting:
                    Become(MachineState.Running);
                    break;
                case 1 or 2 when State is MachineState.Starting or MachineState.Running or MachineState.Stopping:
                    Become(MachineState.Stopped);
                    break;
                case < 0:
                    Command(Commands[step]);
                    break;
                default:
                    break;
            }
        }

        public void Finish()
        {
            Command(new MachineCommand.Remove());
            if (State == MachineState.Stopping)
            {
                Become(MachineState.Stopped);
                Command(new MachineCommand.Remove());
            }
        }

        private void Command(MachineCommand command)
        {
            Admission answer = MachineAdmission.Decide(State, _disks, command);
            if (State != MachineState.Running && command is MachineCommand.AttachDisk)
            {
                Assert.IsType<Admission.Refused>(answer);
            }

            if (answer is not Admission.Accepted)
            {
                return;
            }

            switch (command)
            {
                case MachineCommand.Start:
                    Become(MachineState.Starting);
                    break;
                case MachineCommand.Stop:
                    Become(MachineState.Stopping);
                    break;
                case MachineCommand.AttachDisk attach:
                    _disks = _disks.Add(attach.Disk.Serial, attach.Disk);
                    break;
                case MachineCommand.DetachDisk detach:
                    Assert.True(_disks.ContainsKey(detach.Serial));
                    _disks = _disks.Remove(detach.Serial);
                    break;
                case MachineCommand.Remove when State is MachineState.Starting or MachineState.Running:
                    Become(MachineState.Stopping);
                    break;
                case MachineCommand.Remove when State is MachineState.Created or MachineState.Stopped:
                    Become(MachineState.Removed);
                    break;
                default:
                    break;
            }
        }

        private void Become(MachineState next)
        {
            Assert.True(MachineAdmission.MayBecome(State, next), $"{State} -> {next}");
            State = next;
            Seen.Add(next);
        }
    }
}
