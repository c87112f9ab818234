namespace Vks.Agent.Host;

/// <summary>Someone who is told when something about a descriptor changed.</summary>
internal interface IWatched
{
    /// <summary>Called on the poller's thread: it must not block, wait or throw.</summary>
    /// <param name="events">EPOLL… bits.</param>
    void OnEvents(uint events);
}
