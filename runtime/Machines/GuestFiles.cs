namespace Vks.Runtime.Machines;

/// <summary>The kernel and the initial file system of every guest.</summary>
/// <param name="Kernel">Uncompressed ELF kernel.</param>
/// <param name="Initramfs">cpio with the agent.</param>
internal sealed record GuestFiles(string Kernel, string Initramfs)
{
    /// <summary>Finds both and makes sure that they can be read.</summary>
    /// <exception cref="MachineException"><see cref="MachineFault.GuestFilesMissing"/>.</exception>
    internal static GuestFiles Find(string folder, MachineId machineId)
    {
        var files = new GuestFiles(Path.Combine(folder, "vmlinux"), Path.Combine(folder, "initramfs.cpio"));
        foreach (string path in new[] { files.Kernel, files.Initramfs })
        {
            try
            {
                File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete).Dispose();
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                throw new MachineException(
                    MachineFault.GuestFilesMissing,
                    machineId,
                    $"The guest's file {path} cannot be read: {exception.Message} Build the guest files with './vks up', or point the guest directory at them.",
                    exception);
            }
        }

        return files;
    }
}
