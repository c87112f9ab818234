using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Vks.Runtime.Qemu;
using Vks.Runtime.Templates;

namespace Vks.Runtime.Machines;

/// <summary>Has the templates of this host: finds one for a machine, has missing ones made, one at a time, drops what does not work or is not used.</summary>
/// <remarks>No machine ever waits for it: what is not ready is a miss, and the machine boots.</remarks>
internal sealed partial class TemplateKeeper : IAsyncDisposable
{
    private const long MiB = 1024 * 1024;

    /// <summary>How often a template of one key is tried to be made; each try that fails costs a boot.</summary>
    private const int MaxTries = 3;

    private readonly CrxEngineOptions _options;
    private readonly TemplateStore _store;
    private readonly TemplateInputs _inputs;
    private readonly TemplateBuilder _builder;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Template> _ready = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TaskCompletionSource<bool>> _wanted = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _failures = new(StringComparer.Ordinal);
    private readonly TemplateTrust _trust = new();
    private readonly Channel<(TemplateKey Key, QemuAccelerator Accelerator)> _queue =
        Channel.CreateBounded<(TemplateKey, QemuAccelerator)>(new BoundedChannelOptions(capacity: 16) { SingleReader = true });

    private readonly CancellationTokenSource _ending = new();
    private readonly Task _making;
    private int _disposed;

    /// <summary>Starts waiting for orders.</summary>
    internal TemplateKeeper(CrxEngineOptions options, TemplateBuilder.Boot boot, ITemplateRehearsal? rehearsal, TimeProvider time, ILogger<TemplateKeeper> logger)
    {
        (_options, _time, _logger) = (options, time, logger);
        _store = new TemplateStore(MachineFiles.TemplateRoot(options));
        _builder = new TemplateBuilder(options, boot, rehearsal, _store, time);
        _inputs = new TemplateInputs(
            QemuPathOf(options),
            Path.Combine(options.GuestDirectory, "vmlinux"),
            Path.Combine(options.GuestDirectory, "initramfs.cpio"),
            TemplateInputs.DescribeHost(HostTsc.ReadKHz()),
            () => rehearsal?.Fingerprint ?? "");
        _making = MakeAsync();
    }

    /// <summary>The template that a machine can start from now, or null. Never for a machine whose memory is its own alone.</summary>
    internal Template? Find(MachineSpec spec, bool isKvm)
    {
        if (KeyFor(spec, isKvm) is not { } key)
        {
            return null;
        }

        Template? template;
        lock (_lock)
        {
            template = _ready.GetValueOrDefault(key.Name);
        }

        if (template is { IsUntouched: false })
        {
            Changed(template.Name);
            Drop(template);
            template = null;
        }

        if (template is null)
        {
            EngineMetrics.TemplateMisses.Add(1);
            return null;
        }

        EngineMetrics.TemplateHits.Add(1);
        _store.Touch(template.Name, _time.GetUtcNow());
        return template;
    }

    /// <summary>Has a template made for machines like this one, unless there is one or it is under way.</summary>
    /// <returns>Completes once that is decided, true when machines can start from it. Never fails.</returns>
    internal Task<bool> WantAsync(MachineSpec spec, bool isKvm)
    {
        if (KeyFor(spec, isKvm) is not { } key)
        {
            return Task.FromResult(false);
        }

        Task<bool> decided;
        lock (_lock)
        {
            if (_ready.ContainsKey(key.Name) || _failures.GetValueOrDefault(key.Name) >= MaxTries)
            {
                return Task.FromResult(_ready.ContainsKey(key.Name));
            }

            if (_wanted.TryGetValue(key.Name, out TaskCompletionSource<bool>? underWay))
            {
                return underWay.Task;
            }

            TaskCompletionSource<bool> deciding = new(TaskCreationOptions.RunContinuationsAsynchronously);
            _wanted[key.Name] = deciding;
            decided = deciding.Task;
        }

        if (!_queue.Writer.TryWrite((key, isKvm ? QemuAccelerator.Kvm : QemuAccelerator.Tcg)))
        {
            // So many are waiting that this one is better asked for again.
            Decide(key.Name, ready: false);
        }

        return decided;
    }

    /// <summary>A machine came up from a template.</summary>
    internal void Praise(Template template) => _trust.Praise(template.Name);

    /// <summary>A machine did not: the template is given up when that speaks against it.</summary>
    internal void Blame(Template template, MachineFault fault)
    {
        if (_trust.Blame(template.Name, isSlow: fault is MachineFault.BootTimedOut or MachineFault.DiskFailed))
        {
            Faulty(template.Name);
            Drop(template);
        }
    }

    /// <summary>Gives a template up: it will be made anew.</summary>
    private void Drop(Template template)
    {
        EngineMetrics.TemplateFaults.Add(1);
        lock (_lock)
        {
            // Its files close when the last start that uses it lets go.
            _ready.Remove(template.Name);
            _failures[template.Name] = _failures.GetValueOrDefault(template.Name) + 1;
        }

        Delete(template.Name);
    }

    /// <summary>Gives up what is under way, and waits until nothing of it is left.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            await _making;
            return;
        }

        _queue.Writer.TryComplete();
        await _ending.CancelAsync();
        await _making;
        _ending.Dispose();
        string[] undecided;
        lock (_lock)
        {
            undecided = [.. _wanted.Keys];
            foreach (Template template in _ready.Values)
            {
                template.Dispose();
            }

            _ready.Clear();
        }

        Array.ForEach(undecided, name => Decide(name, ready: false));
    }

    private static string QemuPathOf(CrxEngineOptions options)
    {
        try
        {
            return QemuProbe.FindProgram(options.QemuPath);
        }
        catch (QemuException)
        {
            return options.QemuPath; // No machine starts either, and that start says why.
        }
    }

    private TemplateKey? KeyFor(MachineSpec spec, bool isKvm)
    {
        if (_options.TemplateBudgetMiB == 0 || spec.Isolated || !Host.OpenGate.IsSupported)
        {
            return null;
        }

        var shape = new TemplateShape(spec.VcpuCount, spec.MemoryMiB, spec.ScratchMiB, spec.Network is not null, spec.SharedDirectory is not null);
        try
        {
            return _inputs.KeyOf(shape, ArgumentsOf(shape, isKvm));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null; // No machine starts without these files, and that start says so.
        }
    }

    private string ArgumentsOf(TemplateShape shape, bool isKvm)
    {
        var plan = new BootPlan(isKvm ? QemuAccelerator.Kvm : QemuAccelerator.Tcg, TimeSpan.Zero, Tries: 0);
        MachineSpec spec = TemplateBuilder.SpecOf(shape) with { Id = MachineId.Parse("template") };
        return string.Join(' ', QemuCommandLine.Build(GuestSettings.Of(spec, plan, new GuestFiles("", ""), new MachineFiles(_options, spec.Id))));
    }

    private async Task MakeAsync()
    {
        try
        {
            // Not on whoever makes the engine: what is read first is some 100 MiB.
            await Task.Yield();
            await foreach ((TemplateKey key, QemuAccelerator accelerator) in _queue.Reader.ReadAllAsync(_ending.Token))
            {
                Decide(key.Name, await ProvideAsync(key, accelerator));
            }
        }
        catch (OperationCanceledException)
        {
            // The engine ends.
        }
    }

    private async Task<bool> ProvideAsync(TemplateKey key, QemuAccelerator accelerator)
    {
        try
        {
            if (TryOpen(key.Name) is { } template)
            {
                Found(key.Name, key.Shape.VcpuCount, key.Shape.MemoryMiB, template.Record.DataBytes / MiB);
            }
            else
            {
                long begin = _time.GetTimestamp();
                await _builder.BuildAsync(key, accelerator, _ending.Token);
                TimeSpan took = _time.GetElapsedTime(begin);
                EngineMetrics.TemplateBuilds.Record(took.TotalSeconds);
                template = _store.Open(key.Name, _ending.Token) ?? throw new InvalidDataException("it is gone already");
                Made(key.Name, key.Shape.VcpuCount, key.Shape.MemoryMiB, template.Record.DataBytes / MiB, (long)took.TotalMilliseconds);
            }

            lock (_lock)
            {
                _ready[key.Name] = template;
            }

            Trim(key.Name);
            return true;
        }
        catch (Exception exception) when (!_ending.IsCancellationRequested)
        {
            lock (_lock)
            {
                _failures[key.Name] = _failures.GetValueOrDefault(key.Name) + 1;
            }

            MakingFailed(exception, key.Name, key.Shape.VcpuCount, key.Shape.MemoryMiB);
            return false;
        }
    }

    private Template? TryOpen(string name)
    {
        try
        {
            return _store.Open(name, _ending.Token);
        }
        catch (InvalidDataException exception)
        {
            Broken(name, exception.Message);
            Delete(name);
            return null;
        }
    }

    /// <summary>Deletes what has not been used for longest until the rest fits, the one that was just made last of all.</summary>
    private void Trim(string newest)
    {
        List<(string Name, long Bytes)> all = [.. _store.Names().Where(name => name != newest).Select(name => (name, _store.SizeOf(name)))];
        long total = _store.SizeOf(newest) + all.Sum(static entry => entry.Bytes);
        foreach ((string name, long bytes) in all)
        {
            if (total <= _options.TemplateBudgetMiB * MiB)
            {
                return;
            }

            lock (_lock)
            {
                _ready.Remove(name);
            }

            Delete(name);
            Trimmed(name, bytes / MiB);
            total -= bytes;
        }
    }

    private void Decide(string name, bool ready)
    {
        TaskCompletionSource<bool>? deciding;
        lock (_lock)
        {
            _wanted.Remove(name, out deciding);
        }

        deciding?.TrySetResult(ready);
    }

    private void Delete(string name)
    {
        try
        {
            _store.Delete(name);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            DeletingFailed(exception, name);
        }
    }

    [LoggerMessage(2050, LogLevel.Information, "Template {Template} made for {VcpuCount} vCPU, {MemoryMiB} MiB: {DataMiB} MiB of data, {Milliseconds} ms")]
    private partial void Made(string template, int vcpuCount, int memoryMiB, long dataMiB, long milliseconds);

    [LoggerMessage(2056, LogLevel.Information, "Template {Template} found for {VcpuCount} vCPU, {MemoryMiB} MiB: {DataMiB} MiB of data, as it was written")]
    private partial void Found(string template, int vcpuCount, int memoryMiB, long dataMiB);

    [LoggerMessage(2051, LogLevel.Warning, "Template {Template} for {VcpuCount} vCPU, {MemoryMiB} MiB could not be made; such machines boot")]
    private partial void MakingFailed(Exception exception, string template, int vcpuCount, int memoryMiB);

    [LoggerMessage(2052, LogLevel.Warning, "Template {Template} is deleted and made anew: {Reason}")]
    private partial void Broken(string template, string reason);

    [LoggerMessage(2057, LogLevel.Warning, "Template {Template}: machines do not come up from it; it is deleted and made anew")]
    private partial void Faulty(string template);

    [LoggerMessage(2053, LogLevel.Warning, "Template {Template}: somebody wrote to its files; it is deleted and made anew")]
    private partial void Changed(string template);

    [LoggerMessage(2054, LogLevel.Information, "Template {Template} is deleted to make room, {DataMiB} MiB")]
    private partial void Trimmed(string template, long dataMiB);

    [LoggerMessage(2055, LogLevel.Error, "Template {Template} could not be deleted")]
    private partial void DeletingFailed(Exception exception, string template);
}
