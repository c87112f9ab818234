namespace Vks.Supervisor.ControlPlane;

/// <summary>How a program is.</summary>
/// <param name="Name">Its name.</param>
/// <param name="ProcessId">Its process, or 0 when it does not run.</param>
/// <param name="Since">Since when that is so.</param>
/// <param name="Starts">How often it was started.</param>
/// <param name="LastEnd">How it ended last, or empty.</param>
internal sealed record ProgramState(string Name, int ProcessId, DateTimeOffset Since, int Starts, string LastEnd);
