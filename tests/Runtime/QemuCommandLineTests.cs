using CsCheck;
using Vks.Runtime.Qemu;

namespace Vks.Tests.Runtime;

public sealed class QemuCommandLineTests
{
    private static readonly QemuSettings Small = new()
    {
        Name = "pod-1",
        Accelerator = QemuAccelerator.Tcg,
        MemoryMiB = 512,
        KernelPath = "/guest/vmlinux",
        InitramfsPath = "/guest/initramfs.cpio",
        TscKHz = 2_596_132,
    };

    private static readonly QemuSettings Large = Small with
    {
        Accelerator = QemuAccelerator.Kvm,
        VcpuCount = 4,
        MemoryMiB = 2048,
        KernelArguments = ["vks.channel=vsock"],
        Network = new QemuNetwork("02:11:22:33:44:55", 1450),
        Share = new QemuShare("/run/vks/machines/pod-1/share", "vks"),
        VsockContextId = 7,
    };

    [Fact]
    public void Private_memory_is_neither_shared_nor_merged_nor_dumped()
    {
        IReadOnlyList<string> open = QemuCommandLine.Build(Small);
        IReadOnlyList<string> closed = QemuCommandLine.Build(Small with { PrivateMemory = true });

        string[] changed = [.. closed.Except(open)];

        Assert.Equal(2, changed.Length);
        Assert.EndsWith("memory-backend=ram0,mem-merge=off", changed[0], StringComparison.Ordinal);
        Assert.Equal("memory-backend-ram,id=ram0,size=512M,share=off,merge=off,dump=off", changed[1]);
    }

    [Fact]
    public void The_list_for_tcg_is_this() => Assert.Equal(
        """
        -name guest=pod-1,debug-threads=on
        -nodefaults -no-user-config -display none -no-reboot
        -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
        -machine microvm,pit=on,pic=on,rtc=on,acpi=off,isa-serial=off,x-option-roms=off,auto-kernel-cmdline=on,memory-backend=ram0
        -accel tcg,thread=multi,tb-size=96 -cpu max,-erms -smp 1 -m 512M -object memory-backend-ram,id=ram0,size=512M -global virtio-mmio.force-legacy=false
        -kernel /proc/self/fd/15 -initrd /proc/self/fd/16
        -append console=hvc0 quiet loglevel=4 reboot=t panic=-1 rootfstype=ramfs rdinit=/init swiotlb=noforce no_timer_check noapictimer tsc_early_khz=2596132 tsc=reliable
        -chardev socket,id=qmp,fd=10,server=on,wait=off -mon chardev=qmp,mode=control
        -device virtio-serial-device,max_ports=2
        -chardev socket,id=console,fd=12,server=on,wait=off -device virtconsole,chardev=console,nr=0
        -chardev socket,id=agent,fd=11,server=on,wait=off -device virtserialport,chardev=agent,name=vks.agent,nr=1
        -device virtio-scsi-device,id=scsi0
        -object rng-builtin,id=rng0 -device virtio-rng-device,rng=rng0
        -device virtio-balloon-device,id=balloon0,free-page-reporting=on
        """.ReplaceLineEndings(" "),
        string.Join(' ', QemuCommandLine.Build(Small)));

    [Fact]
    public void The_list_for_kvm_with_everything_is_this() => Assert.Equal(
        """
        -name guest=pod-1,debug-threads=on
        -nodefaults -no-user-config -display none -no-reboot
        -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
        -machine microvm,pit=off,pic=off,rtc=off,acpi=off,isa-serial=off,x-option-roms=off,auto-kernel-cmdline=on,memory-backend=ram0
        -accel kvm -cpu host -smp 4 -m 2048M -object memory-backend-ram,id=ram0,size=2048M -global virtio-mmio.force-legacy=false
        -kernel /proc/self/fd/15 -initrd /proc/self/fd/16
        -append console=hvc0 quiet loglevel=4 reboot=t panic=-1 rootfstype=ramfs rdinit=/init swiotlb=noforce vks.channel=vsock
        -chardev socket,id=qmp,fd=10,server=on,wait=off -mon chardev=qmp,mode=control
        -device virtio-serial-device,max_ports=2
        -chardev socket,id=console,fd=12,server=on,wait=off -device virtconsole,chardev=console,nr=0
        -chardev socket,id=agent,fd=11,server=on,wait=off -device virtserialport,chardev=agent,name=vks.agent,nr=1
        -device virtio-scsi-device,id=scsi0
        -object rng-builtin,id=rng0 -device virtio-rng-device,rng=rng0
        -device virtio-balloon-device,id=balloon0,free-page-reporting=on
        -netdev tap,id=net0,fd=13 -device virtio-net-device,netdev=net0,mac=02:11:22:33:44:55,host_mtu=1450
        -fsdev local,id=share0,path=/share,security_model=passthrough,multidevs=remap -device virtio-9p-device,fsdev=share0,mount_tag=vks
        -device vhost-vsock-device,guest-cid=7,vhostfd=14
        """.ReplaceLineEndings(" "),
        string.Join(' ', QemuCommandLine.Build(Large)));

    [Fact]
    public void No_text_breaks_out_of_its_option() =>
        Gen.Select(Text, Text).Sample((name, tag) =>
        {
            IReadOnlyList<string> list = QemuCommandLine.Build(Large with { Name = name, Share = new QemuShare("/share", tag) });

            Dictionary<string, string> nameOption = Parse(After(list, "-name"));
            Dictionary<string, string> device = Parse(list.Single(word => word.StartsWith("virtio-9p-device,", StringComparison.Ordinal)));

            Assert.Equal((name, 2), (nameOption["guest"], nameOption.Count));
            Assert.Equal((tag, 3), (device["mount_tag"], device.Count));
            Assert.Equal(QemuCommandLine.Build(Large).Count, list.Count);
        });

    [Fact]
    public void The_same_settings_give_the_same_list() =>
        Gen.Select(Text, Gen.Int[1, 64], Gen.Int[96, 1_048_576], Gen.Bool).Sample((name, vcpus, memory, kvm) =>
        {
            QemuSettings settings = Large with { Name = name, VcpuCount = vcpus, MemoryMiB = memory, Accelerator = kvm ? QemuAccelerator.Kvm : QemuAccelerator.Tcg };

            Assert.Equal(QemuCommandLine.Build(settings), QemuCommandLine.Build(settings with { }));
        });

    [Theory]
    [InlineData("")]
    [InlineData("two words")]
    [InlineData("line\nbreak")]
    public void A_kernel_argument_that_is_not_one_word_is_refused(string argument) =>
        Assert.Throws<ArgumentException>(() => QemuCommandLine.Build(Small with { KernelArguments = [argument] }));

    [Fact]
    public void A_zero_character_is_refused() =>
        Assert.Throws<ArgumentException>(() => QemuCommandLine.Build(Small with { Name = "a\0b" }));

    [Fact]
    public void More_processors_keep_their_own_timers() =>
        Assert.DoesNotContain("noapictimer", After(QemuCommandLine.Build(Small with { VcpuCount = 2 }), "-append"), StringComparison.Ordinal);

    // Rich in what QEMU gives a meaning to.
    private static readonly Gen<string> Text = Gen.String[Gen.Char[",=ab \"\\%':z"], 1, 30];

    private static string After(IReadOnlyList<string> list, string option) => list[list.ToList().IndexOf(option) + 1];

    /// <summary>QEMU's own reading of an option list: a single comma ends a value, a doubled one stands for itself.</summary>
    private static Dictionary<string, string> Parse(string option)
    {
        Dictionary<string, string> found = [];
        int at = 0;
        while (at < option.Length)
        {
            System.Text.StringBuilder part = new();
            while (at < option.Length && (option[at] != ',' || (at + 1 < option.Length && option[at + 1] == ',')))
            {
                part.Append(option[at]);
                at += option[at] == ',' ? 2 : 1;
            }

            at++;
            string[] pair = part.ToString().Split('=', 2);
            found.Add(pair[0], pair.ElementAtOrDefault(1) ?? "");
        }

        return found;
    }
}
