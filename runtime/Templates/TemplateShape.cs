namespace Vks.Runtime.Templates;

/// <summary>What of a machine its template must have too, since it cannot be changed when the guest runs.</summary>
/// <param name="VcpuCount">Virtual CPUs.</param>
/// <param name="MemoryMiB">Guest memory in MiB.</param>
/// <param name="ScratchMiB">Size of the scratch disk, 0 for none; a clone's own begins as the template's was left.</param>
/// <param name="HasNetwork">Whether there is a network device; its MAC address and MTU are set in the clone.</param>
/// <param name="HasShare">Whether there is a shared folder; which one is the clone's own matter.</param>
public sealed record TemplateShape(int VcpuCount, int MemoryMiB, int ScratchMiB, bool HasNetwork, bool HasShare);
