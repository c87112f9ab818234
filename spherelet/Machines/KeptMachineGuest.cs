using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Machines;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Machines;

/// <summary>What is asked of the agent of a machine that is kept running: to become that machine, and to run one program with all rights of the guest.</summary>
internal sealed class KeptMachineGuest(KeptMachineOptions options, KeptMachineStore store, TimeProvider time)
{
    /// <summary>Most bytes of a file that is read.</summary>
    public const int MaxReadBytes = 4 * 1024 * 1024;

    private const string ImageSerial = "control-plane";
    private const string DataSerial = "member-data";
    private const string HostResolvConf = "/etc/resolv.conf";
    private const string InterfaceName = "eth0";
    private const int LastWordsBytes = 4000;

    private static readonly TimeSpan s_filesLimit = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan s_filesLook = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan s_wordsLimit = TimeSpan.FromSeconds(3);

    /// <summary>Makes a machine that has just booted the kept one: names, addresses, disks, program. Completes when the program has taken its files over.</summary>
    /// <returns>The program's container.</returns>
    /// <exception cref="KeptMachineException"><see cref="KeptMachineFault.NotUp"/>: the program ended, with its last words, or does not take its files.</exception>
    public async Task<string> BeginAsync(KeptMachineRecord record, Machine machine, CancellationToken cancellationToken)
    {
        GuestClient guest = machine.Guest;
        await guest.CallAsync(GuestMethods.Configure, await PersonalityAsync(record, machine, cancellationToken), GuestJson.Default.GuestPersonality, GuestJson.Default.Empty, cancellationToken);
        await machine.AttachDiskAsync(new DiskAttachment(ImageSerial, options.Image, ReadOnly: true), cancellationToken);
        await machine.AttachDiskAsync(new DiskAttachment(DataSerial, store.DiskOf(record.Name), ReadOnly: false), cancellationToken);
        string id = PodId.New();
        ContainerReference container = new(id);
        await guest.CallAsync(GuestMethods.CreateContainer, Program(id, record.Settings), GuestJson.Default.ContainerSpec, GuestJson.Default.ContainerMade, cancellationToken);
        await guest.CallAsync(GuestMethods.StartContainer, container, GuestJson.Default.ContainerReference, GuestJson.Default.ContainerStarted, cancellationToken);

        (byte[] archive, IReadOnlyList<(string File, byte[] Content)> files) = store.PackFiles(record.Name);
        await FeedAsync(guest, container, archive, cancellationToken);
        await FilesTakenAsync(record.Name, guest, id, cancellationToken);
        KeptMachineStore.ForgetFiles(files);
        return id;
    }

    /// <summary>Waits for the end of the program.</summary>
    /// <returns>What became of it, for a person; null when the machine itself ended or does not know the program.</returns>
    public async Task<string?> EndAsync(Machine machine, string containerId, CancellationToken cancellationToken)
    {
        while (machine.Current is { State: MachineState.Running } snapshot)
        {
            try
            {
                ContainerReport report = await machine.Guest.CallAsync(
                    GuestMethods.WaitContainer, new ContainerReference(containerId), GuestJson.Default.ContainerReference, GuestJson.Default.ContainerReport, cancellationToken);
                string words = await LastWordsAsync(machine.Guest, containerId, cancellationToken);
                return string.Create(CultureInfo.InvariantCulture, $"its program ended with {report.ExitCode}{(report.OutOfMemory ? " for want of memory" : "")}{(words.Length == 0 ? "" : ": " + words)}");
            }
            catch (GuestException problem) when (problem.ConnectionLost)
            {
                // The machine ends, or the channel comes back: the next snapshot tells.
            }
            catch (GuestException problem) when (problem.Fault == GuestFault.NotFound)
            {
                return null;
            }
            catch (MachineException)
            {
                // Between two states.
            }

            await Task.WhenAny(machine.WaitForChangeAsync(snapshot.Generation, cancellationToken), Task.Delay(s_filesLook, time, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
        }

        return null;
    }

    /// <summary>Tells the program to end (SIGTERM). One that has ended is no error.</summary>
    public static async Task TellToEndAsync(Machine machine, string containerId, CancellationToken cancellationToken)
    {
        try
        {
            await machine.Guest.CallAsync(
                GuestMethods.SignalContainer, new SignalRequest(containerId, Signals.Terminate, All: false), GuestJson.Default.SignalRequest, GuestJson.Default.Empty, cancellationToken);
        }
        catch (Exception problem) when (problem is GuestException or MachineException)
        {
            // It is gone already, or does not answer and is ended with the machine.
        }
    }

    /// <summary>A file of the persistent disk; null when it is not there.</summary>
    /// <exception cref="KeptMachineException"><see cref="KeptMachineFault.WrongState"/>: it is too large, or no file.</exception>
    public static async Task<byte[]?> ReadFileAsync(string name, Machine machine, string containerId, string path, CancellationToken cancellationToken)
    {
        string whole = $"{KeptMachineOptions.DataDirectory}/{path}";
        (int code, byte[] output, string errors) = await RunAsync(machine.Guest, containerId, ["/usr/bin/cat", "--", whole], cancellationToken);
        return code != 0
            ? errors.Contains("No such file", StringComparison.Ordinal) ? null : throw new KeptMachineException(KeptMachineFault.WrongState, name, $"Machine {name}: reading {whole}: {errors.Trim()}")
            : output.Length > MaxReadBytes
            ? throw new KeptMachineException(KeptMachineFault.WrongState, name, $"Machine {name}: {whole} has more than {MaxReadBytes >> 20} MiB.")
            : output;
    }

    private async Task<GuestPersonality> PersonalityAsync(KeptMachineRecord record, Machine machine, CancellationToken cancellationToken)
    {
        KeptMachineSettings settings = record.Settings;
        string resolvConf = File.Exists(HostResolvConf) ? await File.ReadAllTextAsync(HostResolvConf, cancellationToken) : "";
        return new GuestPersonality
        {
            Hostname = record.Name,
            WallClockUnixNanoseconds = UnixTime.Nanoseconds(time.GetUtcNow()),
            Entropy = RandomNumberGenerator.GetBytes(64),
            MachineId = record.Id[..32],
            Interfaces = [new GuestInterface(InterfaceName, record.Mac, machine.Spec.Network!.Mtu, settings.Addresses)],
            Routes = settings.Gateway.Length == 0 ? [] : [new GuestRoute(settings.Gateway.Contains(':', StringComparison.Ordinal) ? "::/0" : "0.0.0.0/0", settings.Gateway, InterfaceName)],
            ResolvConf = PersonalityPlan.WithoutLoopback(resolvConf),
            Hosts = "127.0.0.1\tlocalhost\n::1\tlocalhost\n" + string.Concat(settings.Addresses.Select(address => $"{address.Split('/')[0]}\t{record.Name}\n")),
            ScratchDisk = MachinePlan.ScratchSerial,
        };
    }

    /// <summary>Nobody else is in the guest: the program may do there what root may do on a host. The machine's wall is what holds it.</summary>
    private static ContainerSpec Program(string id, KeptMachineSettings settings) => new()
    {
        ContainerId = id,
        ImageDisk = ImageSerial,
        Process = new ProcessSpec
        {
            Args = [KeptMachineOptions.Program, settings.SettingsFile],
            Env = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"],
            Rlimits = [new ResourceLimit("RLIMIT_NOFILE", 65536, 65536)],
        },
        Privileged = true,
        PidNamespace = PidNamespace.Pod,
        Devices = [new DeviceSpec("", KeptMachineOptions.DataDevice, "rwm", DataSerial)],
        Stdin = true,
        StdinOnce = true,
    };

    private static async Task FeedAsync(GuestClient guest, ContainerReference container, byte[] archive, CancellationToken cancellationToken)
    {
        try
        {
            await using GuestCall<Empty> input = await guest.OpenAsync(
                GuestMethods.ContainerInput, container, GuestJson.Default.ContainerReference, GuestJson.Default.Empty, cancellationToken);
            await input.WriteInputAsync(archive, cancellationToken);
            await input.EndInputAsync(cancellationToken);
            await input.Completion;
        }
        catch (GuestException problem) when (!problem.ConnectionLost)
        {
            // The program ended before it had read all; what it said is told by who waits for it.
        }
    }

    private async Task FilesTakenAsync(string name, GuestClient guest, string id, CancellationToken cancellationToken)
    {
        using CancellationTokenSource watching = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task<ContainerReport> end = guest.CallAsync(
            GuestMethods.WaitContainer, new ContainerReference(id), GuestJson.Default.ContainerReference, GuestJson.Default.ContainerReport, watching.Token);
        try
        {
            long begin = time.GetTimestamp();
            while (!end.IsCompleted)
            {
                (int code, _, _) = await RunAsync(guest, id, ["/usr/bin/test", "-e", KeptMachineOptions.FilesTaken], cancellationToken);
                if (code == 0)
                {
                    return;
                }

                if (time.GetElapsedTime(begin) > s_filesLimit)
                {
                    throw new KeptMachineException(
                        KeptMachineFault.NotUp, name, $"Machine {name}: its program did not take its files within {s_filesLimit.TotalMinutes:0} min. {await LastWordsAsync(guest, id, cancellationToken)}");
                }

                await Task.WhenAny(end, Task.Delay(s_filesLook, time, cancellationToken));
            }
        }
        catch (GuestException problem) when (!problem.ConnectionLost)
        {
            // No command runs in a program that has ended; its end is told a moment later.
            await Task.WhenAny(end, Task.Delay(s_wordsLimit, time, cancellationToken));
            if (!end.IsCompleted)
            {
                throw;
            }
        }
        finally
        {
            await watching.CancelAsync();
        }

        ContainerReport report = await end;
        string words = await LastWordsAsync(guest, id, cancellationToken);
        throw new KeptMachineException(KeptMachineFault.NotUp, name, string.Create(CultureInfo.InvariantCulture, $"Machine {name}: its program ended with {report.ExitCode}: {words}"));
    }

    /// <summary>What the program said before it had a log of its own.</summary>
    private async Task<string> LastWordsAsync(GuestClient guest, string id, CancellationToken cancellationToken)
    {
        using CancellationTokenSource patience = new(s_wordsLimit, time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            await using GuestCall<OutputResult> call = await guest.OpenAsync(
                GuestMethods.ContainerOutput, new OutputRequest(id, 0, 0), GuestJson.Default.OutputRequest, GuestJson.Default.OutputResult, either.Token);
            byte[][] both = await Task.WhenAll(CappedOutput.ReadAsync(call.Output, LastWordsBytes, either.Token), CappedOutput.ReadAsync(call.Error, LastWordsBytes, either.Token));
            return string.Join(' ', both.Select(static words => Encoding.UTF8.GetString(words).Trim()).Where(static words => words.Length > 0)).ReplaceLineEndings(" ");
        }
        catch (Exception problem) when (problem is GuestException || (problem is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return "";
        }
    }

    private static async Task<(int Code, byte[] Output, string Errors)> RunAsync(GuestClient guest, string containerId, IReadOnlyList<string> command, CancellationToken cancellationToken)
    {
        await using GuestCall<ExecResult> call = await guest.OpenAsync(
            GuestMethods.Exec, new ExecSpec { ContainerId = containerId, ExecId = PodId.New(), Args = command }, GuestJson.Default.ExecSpec, GuestJson.Default.ExecResult, cancellationToken);
        byte[][] both = await Task.WhenAll(CappedOutput.ReadAsync(call.Output, MaxReadBytes + 1, cancellationToken), CappedOutput.ReadAsync(call.Error, LastWordsBytes, cancellationToken));
        return ((await call.Completion).ExitCode, both[0], Encoding.UTF8.GetString(both[1]));
    }
}
