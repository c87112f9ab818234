using System.Globalization;

namespace Vks.Runtime.Qemu;

/// <summary>Turns settings into QEMU's argument list. Pure.</summary>
/// <remarks>
/// One place knows QEMU's escaping: in an option list a comma ends a value, so commas inside a value are doubled.
/// Descriptors have the fixed numbers of <see cref="QemuDescriptor"/>.
/// </remarks>
internal static class QemuCommandLine
{
    /// <summary>What a restored guest's QEMU opens as memory. There is no such file: it is handed a descriptor instead (<see cref="Host.OpenGate"/>).</summary>
    internal const string TemplateMemoryPath = "/vks-template-memory";

    private const int ScratchSet = 1;

    /// <summary>The arguments after the program's name.</summary>
    /// <exception cref="ArgumentException">A kernel argument holds white space, or a value holds a zero character.</exception>
    internal static IReadOnlyList<string> Build(QemuSettings settings)
    {
        List<string> arguments = [.. Machine(settings), .. Start(settings), .. Channels(), .. Disks(), .. Helpers()];
        if (settings.ScratchSerial is { } scratch)
        {
            arguments.AddRange(Scratch(scratch));
        }

        if (settings.Network is { } network)
        {
            arguments.AddRange(Network(network));
        }

        if (settings.Share is { } share)
        {
            arguments.AddRange(Share(share));
        }

        if (settings.VsockContextId is { } contextId)
        {
            arguments.AddRange(["-device", Invariant($"vhost-vsock-device,guest-cid={contextId},vhostfd={QemuDescriptor.Vhost}")]);
        }

        if (arguments.Find(argument => argument.Contains('\0', StringComparison.Ordinal)) is { } broken)
        {
            throw new ArgumentException($"QEMU's argument '{broken.Replace("\0", "\\0", StringComparison.Ordinal)}' holds a zero character.", nameof(settings));
        }

        return arguments;
    }

    private static IEnumerable<string> Machine(QemuSettings settings)
    {
        bool kvm = settings.Accelerator == QemuAccelerator.Kvm;

        // KVM guests keep time by kvm-clock and the local APIC. A TCG guest needs the old timer and its interrupt controller to
        // calibrate anything, and with rtc=off it waits 1 s for a CMOS clock that never answers.
        string timers = kvm ? "pit=off,pic=off,rtc=off" : "pit=on,pic=on,rtc=on";

        // Under TCG the CPUs of a guest take turns on one thread: with a thread each, a CPU now and then ran the old translation of
        // an instruction that another one had just patched (a jump label), and the kernel panicked on its own breakpoint.
        string threads = settings.VcpuCount == 1 ? "multi" : "single";

        // The backend's merge=off alone is not enough: the machine's own switch marks all memory it is given.
        (string merging, string memory) = settings.PrivateMemory ? (",mem-merge=off", ",share=off,merge=off,dump=off") : ("", "");
        return
        [
            "-name", $"guest={Escape(settings.Name)},debug-threads=on",
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
            "-machine", $"microvm,{timers},acpi=off,isa-serial=off,x-option-roms=off,auto-kernel-cmdline=on,memory-backend=ram0{merging}",
            "-accel", kvm ? "kvm" : Invariant($"tcg,thread={threads},tb-size={settings.TranslationMiB}"),
            "-cpu", kvm ? "host" : "max,-erms",
            "-smp", Invariant($"{settings.VcpuCount}"),
            "-m", Invariant($"{settings.MemoryMiB}M"),
            "-object", Invariant($"{MemoryBackend(settings.Memory)},id=ram0,size={settings.MemoryMiB}M{memory}"),
            "-global", "virtio-mmio.force-legacy=false",
        ];
    }

    private static string MemoryBackend(QemuMemory memory) => memory switch
    {
        QemuMemory.Saved => $"memory-backend-file,mem-path={Inherited(QemuDescriptor.Memory)},share=on",
        QemuMemory.Restored => $"memory-backend-file,mem-path={TemplateMemoryPath},share=off",
        _ => "memory-backend-ram",
    };

    // A restored guest has its kernel in memory already; loading it a second time would only take time.
    private static IEnumerable<string> Start(QemuSettings settings) => settings.Memory == QemuMemory.Restored ? ["-incoming", "defer"] : Kernel(settings);

    private static IEnumerable<string> Kernel(QemuSettings settings)
    {
        // ramfs: on a root of tmpfs crun cannot tell that its file is read-only and copies itself at each call (RootFileSystem of the agent).
        // No device needs bounce buffers below 4 GiB, for which the kernel would keep 64 MiB of a guest that is larger.
        List<string> words = ["console=hvc0", "quiet", "loglevel=4", "reboot=t", "panic=-1", "rootfstype=ramfs", "rdinit=/init", "swiotlb=noforce"];
        if (settings.Accelerator == QemuAccelerator.Tcg)
        {
            words.Add("no_timer_check");
            if (settings.VcpuCount == 1 && settings.Memory != QemuMemory.Saved)
            {
                // The APIC's timer has to be measured first, which takes a boot 100 ms. More CPUs need it, and so do clones: the old
                // timer counts 27 ms at most, and a guest with nothing to do would wake 36 times a second.
                words.Add("noapictimer");
            }

            if (settings.TscKHz is { } tscKHz)
            {
                // Unverified: on a busy host the timer ticks come late, the kernel blames the counter, and falls back to
                // counting those very ticks, so that the guest's clock lags behind.
                words.Add(Invariant($"tsc_early_khz={tscKHz}"));
                words.Add("tsc=reliable");
            }
        }

        foreach (string word in settings.KernelArguments)
        {
            if (word.Length == 0 || word.Any(char.IsWhiteSpace))
            {
                throw new ArgumentException($"Kernel argument '{word}' is empty or holds white space.", nameof(settings));
            }

            words.Add(word);
        }

        return ["-kernel", Inherited(QemuDescriptor.Kernel), "-initrd", Inherited(QemuDescriptor.Initramfs), "-append", string.Join(' ', words)];
    }

    private static IEnumerable<string> Channels() =>
    [
        "-chardev", Socket("qmp", QemuDescriptor.Monitor),
        "-mon", "chardev=qmp,mode=control",
        "-device", "virtio-serial-device,max_ports=2",
        "-chardev", Socket("console", QemuDescriptor.Console),
        "-device", "virtconsole,chardev=console,nr=0",
        "-chardev", Socket("agent", QemuDescriptor.Agent),
        "-device", "virtserialport,chardev=agent,name=vks.agent,nr=1",
    ];

    private static IEnumerable<string> Disks() => ["-device", "virtio-scsi-device,id=scsi0"];

    private static IEnumerable<string> Helpers() =>
    [
        "-object", "rng-builtin,id=rng0",
        "-device", "virtio-rng-device,rng=rng0",
        "-device", "virtio-balloon-device,id=balloon0,free-page-reporting=on",
    ];

    // A device of its own and not a LUN: it is there from the beginning, so that no guest, and no clone, has to look for it.
    private static IEnumerable<string> Scratch(string serial) =>
    [
        "-add-fd", Invariant($"fd={QemuDescriptor.Scratch},set={ScratchSet}"),
        "-blockdev", Invariant($"driver=file,node-name=scratch-file,filename=/dev/fdset/{ScratchSet},aio=threads,discard=unmap"),
        "-blockdev", "driver=raw,node-name=scratch,file=scratch-file,discard=unmap",
        "-device", $"virtio-blk-device,drive=scratch,serial={Escape(serial)}",
    ];

    private static IEnumerable<string> Network(QemuNetwork network) =>
    [
        "-netdev", Invariant($"tap,id=net0,fd={QemuDescriptor.Tap}"),
        "-device", Invariant($"virtio-net-device,netdev=net0,mac={Escape(network.Mac)},host_mtu={network.Mtu}"),
    ];

    // passthrough: files have the owner and mode that the guest gives them. QEMU has the capabilities for it and sees nothing else (QemuProcess).
    private static IEnumerable<string> Share(QemuShare share) =>
    [
        "-fsdev", $"local,id=share0,path={QemuShare.PathInside},security_model=passthrough,multidevs=remap",
        "-device", $"virtio-9p-device,fsdev=share0,mount_tag={Escape(share.Tag)}",
    ];

    private static string Socket(string id, int descriptor) => Invariant($"socket,id={id},fd={descriptor},server=on,wait=off");

    private static string Inherited(int descriptor) => Invariant($"/proc/self/fd/{descriptor}");

    private static string Escape(string value) => value.Replace(",", ",,", StringComparison.Ordinal);

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
