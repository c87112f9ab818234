using System.Diagnostics;
using System.Globalization;
using CliWrap;
using Microsoft.Win32.SafeHandles;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Spherelet.Pods;

/// <summary>
/// A user namespace of the host in which nobody lives: it tells the kernel as whose the files of a mount are to show. It exists as long
/// as its file is open or a mount uses it.
/// </summary>
internal static class IdMapNamespace
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(2);

    /// <summary>Makes one. Dispose the handle after use.</summary>
    /// <param name="map">The pod's user namespace: what 0 owns on disk shows as owned by the pod's root.</param>
    /// <param name="serverId">The user of the machine's QEMU. It owns each new file for a moment, so it must be somebody on these mounts.</param>
    /// <param name="cancellationToken">Ends the work; nothing is left.</param>
    /// <exception cref="PodException"><see cref="PodFault.HostFailed"/>: the host lets nobody make user namespaces, or has no unshare.</exception>
    public static async Task<SafeFileHandle> OpenAsync(GuestUserNamespace map, uint serverId, CancellationToken cancellationToken)
    {
        // The kernel lets no program with threads make a user namespace. cat lives until its input ends.
        using var end = new CancellationTokenSource();
        CommandTask<CommandResult> holder;
        try
        {
            holder = Cli.Wrap("unshare").WithArguments(["--user", "--", "cat"])
                .WithStandardInputPipe(PipeSource.Create(async (_, token) => await Task.Delay(Timeout.InfiniteTimeSpan, token)))
                .WithValidation(CommandResultValidation.None)
                .ExecuteAsync(end.Token, CancellationToken.None);
        }
        catch (Exception cause) when (cause is System.ComponentModel.Win32Exception)
        {
            throw Failed($"unshare cannot be started: {cause.Message}. Install it (Debian: apt-get install util-linux).", cause);
        }

        try
        {
            string process = string.Create(CultureInfo.InvariantCulture, $"/proc/{holder.ProcessId}");
            await WaitAsync(process, holder, cancellationToken);
            await File.WriteAllTextAsync($"{process}/uid_map", Lines(map.Uids, serverId), cancellationToken);
            await File.WriteAllTextAsync($"{process}/gid_map", Lines(map.Gids, serverId), cancellationToken);
            return File.OpenHandle($"{process}/ns/user", FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            throw Failed($"A user namespace of the host could not be made: {cause.Message} See user.max_user_namespaces.", cause);
        }
        finally
        {
            await end.CancelAsync();
            await ((Task)holder).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>The user of a process.</summary>
    /// <param name="pid">Process id on the host.</param>
    /// <exception cref="PodException"><see cref="PodFault.WrongState"/>: there is no such process.</exception>
    public static uint UserOf(int pid)
    {
        try
        {
            // "Uid:" real, effective, saved, file system: proc(5).
            string line = File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/status")).First(text => text.StartsWith("Uid:", StringComparison.Ordinal));
            return uint.Parse(line.Split('\t')[4], CultureInfo.InvariantCulture);
        }
        catch (IOException cause)
        {
            throw new PodException(PodFault.WrongState, "", $"QEMU process {pid} of the pod is gone: {cause.Message}", cause);
        }
    }

    /// <summary>Lines of uid_map and gid_map, user_namespaces(7): inside, outside, how many. Pure.</summary>
    internal static string Lines(IdRange range, uint serverId)
    {
        string lines = string.Create(CultureInfo.InvariantCulture, $"0 {range.First} {range.Length}\n");
        bool known = serverId >= range.First && serverId - range.First < range.Length;
        // An owner on disk that no other id is: the server's own id, or, where the pod's ids reach so far, the last there is.
        uint inside = serverId >= range.Length ? serverId : uint.MaxValue - 1;
        return known ? lines : string.Create(CultureInfo.InvariantCulture, $"{lines}{inside} {serverId} 1\n");
    }

    private static async Task WaitAsync(string process, CommandTask<CommandResult> holder, CancellationToken cancellationToken)
    {
        string? ours = File.ResolveLinkTarget("/proc/self/ns/user", returnFinalTarget: false)?.Name;
        long began = Stopwatch.GetTimestamp();
        while (new FileInfo($"{process}/ns/user").LinkTarget is not { } theirs || theirs == ours)
        {
            if (holder.Task.IsCompleted || Stopwatch.GetElapsedTime(began) > Patience)
            {
                throw new IOException("unshare --user made none.");
            }

            await Task.Delay(Pause, cancellationToken);
        }
    }

    private static PodException Failed(string message, Exception cause) => new(PodFault.HostFailed, "", message, cause);
}
