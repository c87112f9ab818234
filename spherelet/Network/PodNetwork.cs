using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Machines;

namespace Vks.Spherelet.Network;

/// <summary>A pod's network as CNI left it; kept with the pod and told to the guest.</summary>
internal sealed record PodNetwork
{
    /// <summary>Where QEMU plugs in. Its MAC is the CNI interface's own, so that the fabric keeps seeing the same neighbour.</summary>
    public required NetworkAttachment Attachment { get; init; }

    /// <summary>The interface's name in the guest, <c>eth0</c>.</summary>
    public required string InterfaceName { get; init; }

    /// <summary>Addresses with prefix, the primary one first: <c>10.88.0.5/16</c>, <c>fd00::5/64</c>.</summary>
    public required IReadOnlyList<string> Addresses { get; init; }

    /// <summary>Routes in the order the guest must add them.</summary>
    public required IReadOnlyList<GuestRoute> Routes { get; init; }

    /// <summary>The addresses without prefix.</summary>
    public IEnumerable<string> PlainAddresses => Addresses.Select(address => address.Split('/')[0]);
}

/// <summary>Whether pods can get a network.</summary>
/// <param name="IsReady">They can.</param>
/// <param name="Reason">One CamelCase word, empty when ready.</param>
/// <param name="Message">For a person: what is missing and what to do; empty when ready.</param>
internal sealed record NetworkCondition(bool IsReady, string Reason, string Message);
