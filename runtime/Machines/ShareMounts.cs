using System.Globalization;
using Vks.Runtime.Host;
using Vks.Runtime.Qemu;

namespace Vks.Runtime.Machines;

/// <summary>
/// What a machine's file server has mounted for its guest. The mounts are in its mount namespace alone: on the host a folder with a mount
/// anywhere in the host's own namespace can be neither removed nor renamed, and a mount that a crash leaves stays for ever.
/// </summary>
public static class ShareMounts
{
    /// <summary>Mounts a copy below the shared folder.</summary>
    /// <param name="qemuPid">The machine's QEMU.</param>
    /// <param name="mount">What is mounted.</param>
    /// <param name="path">Where, below the shared folder; it exists.</param>
    /// <returns>What else is mounted below it, relative to it, in the order it was mounted.</returns>
    /// <exception cref="HostException">The kernel refused, or QEMU is gone.</exception>
    public static Task<IReadOnlyList<string>> AttachAsync(int qemuPid, BindMount mount, string path) => DedicatedThread.RunAsync<IReadOnlyList<string>>("vks-mount", () =>
    {
        string target = Inside(path);
        DedicatedThread.EnterMountsOf(qemuPid);
        mount.AttachTo(target);
        return [.. Below(qemuPid, target).Skip(1).Select(point => point[(target.Length + 1)..])];
    });

    /// <summary>Takes away all that is mounted at or below a path of the shared folder. A QEMU that is gone took its mounts along.</summary>
    /// <exception cref="HostException">The kernel refused.</exception>
    public static Task DetachAsync(int qemuPid, string path) => DedicatedThread.RunAsync("vks-mount", () =>
    {
        try
        {
            IReadOnlyList<string> points = Below(qemuPid, Inside(path));
            if (points.Count > 0)
            {
                DedicatedThread.EnterMountsOf(qemuPid);
                foreach (string point in points.Reverse())
                {
                    BindMount.Detach(point);
                }
            }
        }
        catch (IOException)
        {
            // QEMU is gone.
        }
        catch (HostException cause) when (cause.ErrnoName is "ENOENT" or "ESRCH")
        {
            // QEMU is gone.
        }

        return true;
    });

    private static string Inside(string path) => $"{QemuShare.PathInside}/{path}";

    private static IReadOnlyList<string> Below(int pid, string directory) =>
        MountTable.Below(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/mountinfo"), directory);
}
