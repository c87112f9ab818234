using Vks.Agent.Boot;
using Vks.Agent.Channel;
using Vks.Agent.Containers;
using Vks.Agent.Disks;
using Vks.Agent.Host;
using Vks.Agent.Network;
using Vks.Agent.Personality;
using Vks.Runtime.Guest.Protocol;
using Console = Vks.Agent.Boot.Console;

[assembly: System.Runtime.Versioning.SupportedOSPlatform("linux")]

namespace Vks.Agent;

/// <summary>PID 1 of a pod's guest: all wiring, top to bottom.</summary>
internal static class Program
{
    private static int Main()
    {
        long started = Clock.BootNanoseconds();
        if (Environment.ProcessId != 1)
        {
            Console.Log("this program is the first process of a pod's guest and does nothing elsewhere");
            return 64;
        }

        AppDomain.CurrentDomain.UnhandledException += (_, fault) => Console.Log($"unhandled: {fault.ExceptionObject}");
        TaskScheduler.UnobservedTaskException += (_, fault) =>
        {
            Console.Log($"unobserved: {fault.Exception}");
            fault.SetObserved();
        };
        try
        {
            Start(started, TimeProvider.System);
            // This thread is the poller's: each thread less makes the start of a one-CPU guest shorter.
            Poller.Shared.Run();
        }
        catch (Exception exception)
        {
            Console.Log($"the agent cannot go on: {exception}");
        }

        // PID 1 must not end: the kernel would panic and take the reason with it.
        while (true)
        {
            _ = Libc.Pause();
        }
    }

    /// <summary>Nothing in here may wait for the thread pool: its first use starts three threads.</summary>
    private static void Start(long started, TimeProvider time)
    {
        RootFileSystem.Prepare();
        KernelSwitches.RunNewThreadsFirst();
        KernelSwitches.CompactOnDemand();
        Console.Open();
        string commandLine = File.ReadAllText("/proc/cmdline");
        KernelCommandLine settings = KernelCommandLine.Parse(commandLine);

        var reaper = new Reaper();
        var events = new KernelEvents();
        var devices = new BlockDevices(events, time);
        var images = new DiskMounts(devices, "/run/vks/images", static (device, target) => Mounts.Mount(device, target, DiskFormat.OfDisk(device), Constants.MsReadOnly));
        var volumes = new VolumeMounts(devices);
        var scratch = new Scratch(devices);
        var share = new Share();
        var personality = new PodPersonality(scratch, share);
        var crun = new Crun(reaper);
        var userNamespace = new PodUserNamespace(crun, personality);
        var containers = new ContainerTable(new BundleSources(images, volumes, devices, share, personality, userNamespace), crun, reaper, new PodPidNamespace(reaper));
        var execs = new ExecTable(containers, crun, new Entry(reaper), reaper, time);
        var calls = new GuestCalls(personality, new PortDialer(personality), new PowerSwitch(containers, scratch, volumes, time), new WarmUp(containers, crun, time));

        var methods = new MethodTable();
        calls.Register(methods);
        new ContainerMethods(containers, execs).Register(methods);

        IChannelTransport transport = ChannelTransport.Open(commandLine);
        var channel = new AgentChannel(transport, methods, Facts(started), Console.Log);
        containers.Publish = channel.Publish;
        _ = ReportAsync(events.RunAsync(CancellationToken.None));
        _ = ReportAsync(calls.PowerOffWhenAskedAsync(channel, time));
        if (settings.Verbose)
        {
            Console.Log($"ready {(Clock.BootNanoseconds() - started) / 1000} us after its start");
        }

        _ = ReportAsync(channel.RunAsync(CancellationToken.None));
    }

    private static async Task ReportAsync(Task task)
    {
        try
        {
            await task;
        }
        catch (Exception exception)
        {
            Console.Log($"the agent cannot go on: {exception}");
        }
    }

    private static HelloReply Facts(long started)
    {
        long ready = Clock.BootNanoseconds();
        string version = AppContext.GetData("Vks.Agent.Version") as string ?? "unknown";
        string release = File.ReadAllText("/proc/sys/kernel/osrelease").Trim();
        return new HelloReply("", 0, 0, 0, version, release, started, ready);
    }
}
