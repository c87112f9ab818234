using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging;

namespace Vks.Runtime.Machines;

/// <content>What the driver tells people.</content>
public sealed partial class Machine
{
    private MachineException StoppedWhileStarting(Exception? cause) =>
        new(MachineFault.MachineGone, Id, $"Machine {Id.Prefix} was stopped while it started.", cause);

    private string WithConsole(string reason)
    {
        IReadOnlyList<string> tail = _console.Tail;
        return tail.Count == 0
            ? $"{reason} The guest's console was silent."
            : $"{reason} Last lines of the guest's console:\n  {string.Join("\n  ", tail.TakeLast(ConsoleLinesInReason))}";
    }

    private const int ConsoleLinesInReason = 10;

    private static string Describe(MachineCommand command) => command switch
    {
        MachineCommand.Start => "Start",
        MachineCommand.Stop stop => string.Create(CultureInfo.InvariantCulture, $"Stop within {stop.Grace.TotalSeconds} s"),
        MachineCommand.AttachDisk attach => $"Attaching disk '{attach.Disk.Serial}'",
        MachineCommand.DetachDisk detach => $"Detaching disk '{detach.Serial}'",
        MachineCommand.Remove => "Removal",
        _ => throw new UnreachableException($"Unknown command {command.GetType().Name}."),
    };

    [LoggerMessage(2001, LogLevel.Information, "Machine {MachineId}: {From} -> {To}")]
    private partial void StateChanged(MachineId machineId, MachineState from, MachineState to);

    [LoggerMessage(2002, LogLevel.Warning, "Machine {MachineId} stopped by itself: {Reason}")]
    private partial void StoppedByItself(MachineId machineId, string reason);

    [LoggerMessage(2005, LogLevel.Critical, "Machine {MachineId}: its driver met something that cannot be; the machine is let go of")]
    private partial void DriverFailed(Exception exception, MachineId machineId);

    [LoggerMessage(2006, LogLevel.Error, "Machine {MachineId}: {Reason}")]
    private partial void KillFailed(MachineId machineId, string reason);
}
