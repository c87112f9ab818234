namespace Vks.Runtime.Qemu;

/// <summary>Asks a QEMU program what it is.</summary>
public static class QemuProbe
{
    /// <summary>Runs the program with <c>-version</c> and <c>-machine help</c>.</summary>
    /// <param name="program">An absolute path, or a name on PATH.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    /// <exception cref="QemuException"><see cref="QemuFault.ProgramMissing"/>, <see cref="QemuFault.Unsuitable"/>.</exception>
    public static Task<QemuVersion> AskAsync(string program, CancellationToken cancellationToken) => throw new NotSupportedException();
}

/// <summary>What a QEMU program said of itself.</summary>
/// <param name="Path">The program, absolute.</param>
/// <param name="Version">e.g. 7.2.22.</param>
/// <param name="HasMicrovm">It can be a microvm machine.</param>
public sealed record QemuVersion(string Path, Version Version, bool HasMicrovm);
