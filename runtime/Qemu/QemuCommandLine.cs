namespace Vks.Runtime.Qemu;

/// <summary>Turns settings into QEMU's argument list. Pure.</summary>
internal static class QemuCommandLine
{
    /// <summary>The arguments after the program's name.</summary>
    internal static IReadOnlyList<string> Build(QemuSettings settings) => throw new NotSupportedException();
}
