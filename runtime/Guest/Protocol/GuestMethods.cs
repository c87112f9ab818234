namespace Vks.Runtime.Guest.Protocol;

/// <summary>The methods the agent answers. Each comment names request record, result record and streams.</summary>
public static class GuestMethods
{
    /// <summary><see cref="Empty"/> → <see cref="Empty"/>. Round trip, for health.</summary>
    public const string Ping = "guest.ping";

    /// <summary><see cref="GuestPersonality"/> → <see cref="Empty"/>. Once, before the first container.</summary>
    public const string Configure = "guest.configure";

    /// <summary><see cref="Empty"/> → <see cref="GuestClockReading"/>.</summary>
    public const string ReadClock = "guest.clock.read";

    /// <summary><see cref="GuestClockChange"/> → <see cref="Empty"/>. What an earlier slow change had still to do is given up.</summary>
    public const string AdjustClock = "guest.clock.adjust";

    /// <summary><see cref="Empty"/> → <see cref="Empty"/>. Answers, then stops containers, syncs and powers off.</summary>
    public const string PowerOff = "guest.poweroff";

    /// <summary><see cref="Empty"/> → <see cref="Empty"/>. Goes once through what every pod needs, so that a template has it in memory; changes nothing.</summary>
    public const string WarmUp = "guest.warmup";

    /// <summary><see cref="Empty"/> → <see cref="GuestStats"/>: the guest and all its containers in one answer.</summary>
    public const string Stats = "guest.stats";

    /// <summary><see cref="DialRequest"/> → <see cref="Empty"/>; Input and Output carry the connection.</summary>
    public const string Dial = "guest.dial";

    /// <summary><see cref="ContainerSpec"/> → <see cref="ContainerMade"/>. All or nothing.</summary>
    public const string CreateContainer = "container.create";

    /// <summary><see cref="ContainerReference"/> → <see cref="ContainerStarted"/>. CannotExecute when the program cannot run.</summary>
    public const string StartContainer = "container.start";

    /// <summary><see cref="SignalRequest"/> → <see cref="Empty"/>. NotFound when there is no such container; a stopped one is no error.</summary>
    public const string SignalContainer = "container.signal";

    /// <summary><see cref="ContainerReference"/> → <see cref="ContainerReport"/> once the container has exited.</summary>
    public const string WaitContainer = "container.wait";

    /// <summary><see cref="ContainerReference"/> → <see cref="Empty"/>. Kills what runs, unmounts; unknown containers are no error.</summary>
    public const string DeleteContainer = "container.delete";

    /// <summary><see cref="ContainerReference"/> → <see cref="ContainerDescription"/>. NotFound when there is no such container.</summary>
    public const string DescribeContainer = "container.describe";

    /// <summary><see cref="Empty"/> → <see cref="ContainerList"/>.</summary>
    public const string ListContainers = "container.list";

    /// <summary>
    /// <see cref="OutputRequest"/> → <see cref="OutputResult"/> after both streams ended; Output and Error carry the container's output
    /// from the offsets on. Bytes are kept in the guest until credited, so a restarted host loses none.
    /// </summary>
    public const string ContainerOutput = "container.output";

    /// <summary><see cref="ContainerReference"/> → <see cref="Empty"/>; Input carries bytes for the container's standard input, End closes it.</summary>
    public const string ContainerInput = "container.input";

    /// <summary><see cref="ResizeRequest"/> → <see cref="Empty"/>. For a container's or an exec's terminal.</summary>
    public const string ResizeTerminal = "terminal.resize";

    /// <summary><see cref="ExecSpec"/> → <see cref="ExecResult"/>; Input, Output, Error carry its stdio. Cancel kills it.</summary>
    public const string Exec = "container.exec";

    /// <summary><see cref="UpdateRequest"/> → <see cref="Empty"/>. Changes limits of a created or running container. All or nothing.</summary>
    public const string UpdateContainer = "container.update";

    /// <summary><see cref="ResourceLimits"/> → <see cref="Empty"/>. Limits of all containers together, as they are to be from now on. All or nothing.</summary>
    public const string LimitPod = "pod.limit";
}
