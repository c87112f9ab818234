using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Vks.Runtime.Templates;

/// <summary>Everything a template was made of and with. A clone is only made where all of it is the same still.</summary>
/// <param name="Shape">What the machine asks for.</param>
/// <param name="Arguments">QEMU's arguments, which also tell accelerator and kernel command line.</param>
/// <param name="Qemu">QEMU's program: path, size, time of change.</param>
/// <param name="Kernel">SHA-256 of the guest's kernel.</param>
/// <param name="Initramfs">SHA-256 of the initial file system with the agent.</param>
/// <param name="Host">The host's processor, its counter's rate, its kernel.</param>
/// <param name="Rehearsal">What the guest was taken through before it was saved.</param>
internal sealed record TemplateKey(TemplateShape Shape, string Arguments, string Qemu, string Kernel, string Initramfs, string Host, string Rehearsal)
{
    /// <summary>Raised when this build makes or uses templates in another way than builds before.</summary>
    private const int Layout = 2;

    /// <summary>The name of its folder: 32 hex digits that change with anything above.</summary>
    internal string Name => Hash(string.Create(
        CultureInfo.InvariantCulture,
        $"{Layout}\0{Shape.VcpuCount}\0{Shape.MemoryMiB}\0{Shape.ScratchMiB}\0{Shape.HasNetwork}\0{Shape.HasShare}\0{Arguments}\0{Qemu}\0{Kernel}\0{Initramfs}\0{Host}\0{Rehearsal}"));

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..32];
}
