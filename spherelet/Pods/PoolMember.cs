using Vks.Runtime.Machines;
using Vks.Runtime.Templates;

namespace Vks.Spherelet.Pods;

/// <summary>A machine that runs before there is a pod for it. The pod that takes it gets its id.</summary>
/// <param name="Id">64 hex digits, that nobody has been told yet.</param>
/// <param name="Shape">What it is.</param>
/// <param name="Machine">Its guest waits for a personality.</param>
/// <param name="Bytes">What it had of the host's memory for itself when it was ready.</param>
internal sealed record PoolMember(string Id, TemplateShape Shape, Machine Machine, long Bytes);
