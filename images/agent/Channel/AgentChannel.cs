using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Channel;

/// <summary>Serves the host's sessions one after another: reads requests, runs them by <see cref="MethodTable"/>, sends events.</summary>
/// <param name="transport">Where the host's connections come from.</param>
/// <param name="methods">What is answered.</param>
/// <param name="facts">
/// The agent's HelloReply; called for every Hello. Nonce, Version, OldestVersion and NewestVersion are overwritten by the channel.
/// </param>
/// <param name="log">Writes one line to the guest's console.</param>
#pragma warning disable CS9113
internal sealed class AgentChannel(IChannelTransport transport, MethodTable methods, Func<HelloReply> facts, Action<string> log)
{
    /// <summary>Serves until the token fires; never ends for any fault of the host or of a handler.</summary>
    public Task RunAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Sends an event to the host; dropped when there is no session (the host lists the containers on connecting).</summary>
    public void Publish(GuestEvent guestEvent) => throw new NotSupportedException();

    /// <summary>Completes once everything queued so far was handed to the kernel, or there is no host; for answering before power-off.</summary>
    public Task FlushAsync(CancellationToken cancellationToken) => throw new NotSupportedException();
}
