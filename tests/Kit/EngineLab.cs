using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Vks.Runtime.Machines;

namespace Vks.Tests.Kit;

/// <summary>Engines over folders of their own; at the end nothing of them may be left on the host.</summary>
internal sealed class EngineLab : IAsyncDisposable
{
    private readonly List<CrxEngine> _engines = [];

    /// <param name="templates">Whether machines may start from templates, and each first of its kind has one made.</param>
    public EngineLab(bool templates = false)
    {
        Assert.True(
            File.Exists(Path.Combine(SphereletProcess.GuestDirectory, "initramfs.cpio")) && File.Exists(Path.Combine(SphereletProcess.GuestDirectory, "vmlinux")),
            $"{SphereletProcess.GuestDirectory} lacks vmlinux or initramfs.cpio: run images/build.sh guest first, or point VKS_GUEST_DIR at them.");
        Options = OptionsFor(Folder) with { TemplateBudgetMiB = templates ? 1024 : 0 };
        LettingOthersThrough(Folder);
    }

    public string Folder { get; } = Directory.CreateTempSubdirectory("vks-test-engine-").FullName;

    public CrxEngineOptions Options { get; set; }

    public static CrxEngineOptions OptionsFor(string folder) => new()
    {
        RootDirectory = Path.Combine(folder, "root"),
        RuntimeDirectory = Path.Combine(folder, "run"),
        GuestDirectory = SphereletProcess.GuestDirectory,
        Accelerator = AcceleratorChoice.Tcg,
        BootTimeout = TimeSpan.FromSeconds(40),
        FirstUserId = 2_200_000,
    };

    public static MachineId NewId() => MachineId.Parse("test-" + Guid.NewGuid().ToString("N"));

    public static MachineSpec NewSpec() => new() { Id = NewId(), MemoryMiB = 128 };

    /// <summary>One more engine over the same folders, as a restarted daemon is.</summary>
    public CrxEngine NewEngine()
    {
        CrxEngine engine = new(Options, TimeProvider.System, NullLoggerFactory.Instance);
        _engines.Add(engine);
        return engine;
    }

    /// <summary>Writes a program that stands for QEMU.</summary>
    public string WriteProgram(string script)
    {
        string path = Path.Combine(Folder, "fake-qemu-" + Guid.NewGuid().ToString("N"));
        File.WriteAllText(path, "#!/bin/sh\n" + script + "\n");
        File.SetUnixFileMode(path, (UnixFileMode)0b111_101_101);
        return path;
    }

    /// <summary>Process ids of the lab's QEMUs.</summary>
    public IReadOnlyList<int> Qemus()
    {
        List<int> found = [];
        foreach (string process in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(process), CultureInfo.InvariantCulture, out int pid) && pid != Environment.ProcessId)
            {
                try
                {
                    if (File.ReadAllText(process + "/cmdline").Contains("guest=" + Folder, StringComparison.Ordinal))
                    {
                        found.Add(pid);
                    }
                }
                catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
                {
                    // It ended while we looked.
                }
            }
        }

        return found;
    }

    /// <summary>What is on the host of the machines with these ids, or of any below our folders: files, sockets, processes, control groups.</summary>
    public IReadOnlyList<string> Leftovers(params IEnumerable<MachineId> gone) =>
    [
        .. Qemus().Select(pid => $"process {pid}"),
        .. new[] { Path.Combine(Options.RootDirectory, "machines"), Path.Combine(Options.RuntimeDirectory, "machines") }
            .Where(Directory.Exists).SelectMany(Directory.EnumerateFileSystemEntries),
        .. CgroupsOf([.. gone.Select(id => id.Value)]),
    ];

    public async ValueTask DisposeAsync()
    {
        foreach (CrxEngine engine in _engines)
        {
            await engine.DisposeAsync();
        }

        await using (CrxEngine last = new(Options, TimeProvider.System, NullLoggerFactory.Instance))
        {
            await last.AdoptAsync(CancellationToken.None);
            await Task.WhenAll(last.Machines.Select(machine => last.RemoveAsync(machine.Id, CancellationToken.None)));
        }

        IReadOnlyList<string> left = Leftovers();
        Directory.Delete(Folder, recursive: true);
        Assert.Empty(left);
    }

    private static IEnumerable<string> CgroupsOf(HashSet<string> names) =>
        Directory.Exists("/sys/fs/cgroup") && names.Count > 0
            ? Directory.EnumerateDirectories("/sys/fs/cgroup", "vks", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 3 })
                .SelectMany(Directory.EnumerateDirectories).Where(folder => names.Contains(Path.GetFileName(folder)))
            : [];

    private static void LettingOthersThrough(string folder) =>
        File.SetUnixFileMode(folder, File.GetUnixFileMode(folder) | UnixFileMode.OtherExecute | UnixFileMode.GroupExecute);
}
