namespace Vks.Supervisor.FloatingAddress;

/// <summary>The times that keep the floating address at one member, and what they rest on.</summary>
/// <remarks>
/// <para>A holder writes a heartbeat into etcd, a transaction that only succeeds while its last one is the newest. A heartbeat that was
/// <em>sent</em> at time t lets it have the address on its link until t + <see cref="Hold"/>, by the kernel's own clock: the address is put
/// there with a finite lifetime, and so goes also when nobody of the member runs any more. Another member takes the address when it has seen
/// no new heartbeat for <see cref="Takeover"/>, counted from when it saw the last one, which is later than t; and only by a transaction that
/// fails if there was a newer one. So the first is over before the second can be, whatever messages are lost or late and however long
/// processes stand still. No clock is compared with another host's; only their rates must agree.</para>
/// <para>What is between the two (1.5 s): the kernel takes an address away up to 0.68 s after its lifetime ended (measured, 36 addresses of
/// both families, Linux 6.18; its timer rounds to a second at most), clocks that differ by 1 in 1000 add 0.01 s, /proc/uptime counts in 0.01 s.</para>
/// <para>Not covered: a host that is suspended, or a virtual machine that is paused by its hypervisor, for its kernel's clock stands still,
/// too. Whoever pauses a member's machine must cut its link first.</para>
/// </remarks>
internal static class ClaimTiming
{
    /// <summary>After a heartbeat was sent: when the address must have been due to go.</summary>
    public static TimeSpan Hold { get; } = TimeSpan.FromSeconds(5.5);

    /// <summary>Without a new heartbeat: when another member may take the address.</summary>
    public static TimeSpan Takeover { get; } = TimeSpan.FromSeconds(7);

    /// <summary>From one heartbeat to the next. Three may fail, as while etcd chooses a leader, before the address lapses.</summary>
    public static TimeSpan Heartbeat { get; } = TimeSpan.FromSeconds(1);

    /// <summary>How often the others look.</summary>
    public static TimeSpan Look { get; } = TimeSpan.FromSeconds(0.5);

    /// <summary>How long one answer of etcd is waited for.</summary>
    public static TimeSpan Answer { get; } = TimeSpan.FromSeconds(1);
}
