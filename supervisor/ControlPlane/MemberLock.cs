namespace Vks.Supervisor.ControlPlane;

/// <summary>Who holds it is the only one that does something with a member's files.</summary>
internal static class MemberLock
{
    /// <summary>Takes it, until what it gives is disposed of, or this process ends.</summary>
    /// <param name="settings">The member; its run folder is there.</param>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Precondition"/>: the member runs, or is being restored.</exception>
    public static FileStream Take(MemberSettings settings)
    {
        string file = Path.Combine(settings.RunDirectory, "lock");
        try
        {
            return new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException problem)
        {
            throw new SupervisorException(
                SupervisorFault.Precondition, $"member {settings.Name} is in use: {file} is locked. Do: supervisor member status, and end the member first (its process is in {MemberState.PathIn(settings)})", problem);
        }
    }
}
