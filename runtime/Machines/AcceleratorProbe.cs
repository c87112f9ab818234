using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Vks.Runtime.Qemu;

namespace Vks.Runtime.Machines;

/// <summary>Finds out whether guests run on KVM, by booting one: there are hosts whose /dev/kvm opens and runs no ordinary guest.</summary>
internal sealed partial class AcceleratorProbe(CrxEngineOptions options, TimeProvider time, ILogger<AcceleratorProbe> logger)
{
    /// <summary>A guest that runs on KVM answers in a tenth of this.</summary>
    private static readonly TimeSpan s_bootTimeout = TimeSpan.FromSeconds(6);

    private readonly Lock _gate = new();
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
                _finding = Task.Run(() => FindAsync(boot, CancellationToken.None), CancellationToken.None);
            }

            return _finding.WaitAsync(cancellationToken);
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

        if (!File.Exists("/dev/kvm"))
        {
            return new AcceleratorReport(false, "TCG (software emulation): the host has no /dev/kvm");
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
        catch (MachineException exception) when (exception.Fault is MachineFault.QemuFailed or MachineFault.BootTimedOut or MachineFault.AgentFailed)
        {
            return new AcceleratorReport(false, $"TCG (software emulation): /dev/kvm is there, but no guest boots on it. {exception.Message.Split('\n')[0]}");
        }
    }

    /// <summary>What the answer depends on beside the host: another QEMU or guest kernel may do better.</summary>
    private string Subject()
    {
        string kernel = Path.Combine(options.GuestDirectory, "vmlinux");
        return string.Create(CultureInfo.InvariantCulture, $"{options.QemuPath} {kernel} {File.GetLastWriteTimeUtc(kernel).Ticks}");
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
