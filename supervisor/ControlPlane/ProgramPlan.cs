namespace Vks.Supervisor.ControlPlane;

/// <summary>A program of a member: what to run.</summary>
/// <param name="Name">Its name; its log is <c>NAME.log</c>.</param>
/// <param name="Path">The file to run.</param>
/// <param name="Arguments">What it is told.</param>
internal sealed record ProgramPlan(string Name, string Path, IReadOnlyList<string> Arguments)
{
    /// <summary>How far it steps back for others when CPUs are scarce, 0 to 19 as nice(1) counts: without the API the others can do nothing.</summary>
    public int Niceness { get; init; }
}
