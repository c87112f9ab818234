using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Vks.Runtime.Qemu;

namespace Vks.Runtime.Machines;

/// <summary>Finds out whether guests run on KVM, by booting one: there are hosts whose /dev/kvm opens and runs no ordinary guest.</summary>
/// <remarks>
/// Only what tells of the accelerator is kept until the host's next boot: a guest that booted, a QEMU that refused /dev/kvm or died, a guest that hung.
/// A start that never got so far, for want of QEMU, guest files or memory, fails whoever asked and is tried again.
/// </remarks>
internal sealed partial class AcceleratorProbe(
    CrxEngineOptions options, TimeProvider time, ILogger<AcceleratorProbe> logger, string kvmDevice = "/dev/kvm") : IAsyncDisposable
{
    /// <summary>A guest that runs on KVM answers in a tenth of this.</summary>
    private static readonly TimeSpan s_bootTimeout = TimeSpan.FromSeconds(6);

    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _ending = new();
    private Task<AcceleratorReport>? _finding;

    /// <summary>Boots a small machine with the given plan; fails as a start does.</summary>
    internal delegate Task Boot(MachineSpec spec, BootPlan plan, CancellationToken cancellationToken);

    private string CachePath => Path.Combine(options.RuntimeDirectory, "accelerator.json");

    /// <summary>The accelerator to use; probes at most once per host boot, QEMU and guest kernel.</summary>
    /// <param name="boot">Boots the guest of the probe.</param>
    /// <param name="cancellationToken">Ends the waiting; the probe goes on for whoever asks next.</param>
    internal Task<AcceleratorReport> GetAsync(Boot boot, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            // One probe for all who wait; a failed one is tried again by the next who asks.
            if (_finding is null || (_finding.IsCompleted && !_finding.IsCompletedSuccessfully))
            {
                _finding = Task.Run(() => FindAsync(boot, _ending.Token), CancellationToken.None);
            }

            return _finding.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Gives a probe under way up and waits until its guest is gone.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        Task? finding;
        lock (_gate)
        {
            finding = _finding;
        }

        if (finding is not null)
        {
            // Whoever asked is told of its faults; here only its end counts.
            await finding.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<AcceleratorReport> FindAsync(Boot boot, CancellationToken cancellationToken)
    {
        switch (options.Accelerator)
        {
            case AcceleratorChoice.Kvm:
                return new AcceleratorReport(true, "KVM, because the settings say so");
            case AcceleratorChoice.Tcg:
                return new AcceleratorReport(false, "TCG (software emulation), because the settings say so");
            default:
                break;
        }

        if (!File.Exists(kvmDevice))
        {
            return new AcceleratorReport(false, $"TCG (software emulation): the host has no {kvmDevice}");
        }

        string subject = Subject();
        if (ReadCache() is { } cached && cached.HostBootId == HostBoot.Id && cached.Subject == subject)
        {
            return new AcceleratorReport(cached.IsKvm, cached.Reason);
        }

        AcceleratorReport report = await ProbeAsync(boot, cancellationToken);
        WriteCache(new AcceleratorRecord(HostBoot.Id, subject, report.IsKvm, report.Reason));
        Probed(report.Reason);
        return report;
    }

    private async Task<AcceleratorReport> ProbeAsync(Boot boot, CancellationToken cancellationToken)
    {
        MachineSpec spec = new()
        {
            Id = MachineId.Parse("probe-" + RandomNumberGenerator.GetHexString(8, lowercase: true)),
            MemoryMiB = 128,
        };
        long begin = time.GetTimestamp();
        try
        {
            await boot(spec, new BootPlan(QemuAccelerator.Kvm, s_bootTimeout, Tries: 1), cancellationToken);
            return new AcceleratorReport(true, string.Create(
                CultureInfo.InvariantCulture, $"KVM: a guest booted on it in {time.GetElapsedTime(begin).TotalMilliseconds:F0} ms"));
        }
        catch (MachineException exception) when (TellsOfAccelerator(exception))
        {
            return new AcceleratorReport(false, $"TCG (software emulation): {kvmDevice} is there, but no guest boots on it. {exception.Message.Split('\n')[0]}");
        }
    }

    private static bool TellsOfAccelerator(MachineException exception) => exception.Fault switch
    {
        MachineFault.BootTimedOut or MachineFault.AgentFailed => true,
        MachineFault.QemuFailed => exception.InnerException is not QemuException { Fault: QemuFault.ProgramMissing or QemuFault.StartFailed },
        _ => false,
    };

    /// <summary>What the answer depends on beside the host: another QEMU, guest kernel or agent may do better.</summary>
    private string Subject()
    {
        string[] guest = [Path.Combine(options.GuestDirectory, "vmlinux"), Path.Combine(options.GuestDirectory, "initramfs.cpio")];
        return $"{options.QemuPath} {string.Join(' ', guest.Select(Stamp))}";

        static string Stamp(string path) => string.Create(CultureInfo.InvariantCulture, $"{path} {File.GetLastWriteTimeUtc(path).Ticks}");
    }

    private AcceleratorRecord? ReadCache()
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(CachePath), MachineJson.Default.AcceleratorRecord);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException)
        {
            // Never probed, or half written by a daemon that was killed: probe.
            return null;
        }
    }

    private void WriteCache(AcceleratorRecord record)
    {
        try
        {
            string temporary = CachePath + ".new";
            Directory.CreateDirectory(options.RuntimeDirectory);
            File.WriteAllBytes(temporary, JsonSerializer.SerializeToUtf8Bytes(record, MachineJson.Default.AcceleratorRecord));
            File.Move(temporary, CachePath, overwrite: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            CacheFailed(exception, CachePath);
        }
    }

    [LoggerMessage(2020, LogLevel.Information, "Accelerator: {Reason}")]
    private partial void Probed(string reason);

    [LoggerMessage(2021, LogLevel.Warning, "The accelerator found could not be kept in {Path}; the next daemon probes again")]
    private partial void CacheFailed(Exception exception, string path);
}
