using System.Text;
using System.Text.Json;

namespace Vks.Spherelet.Pods;

/// <summary>The seccomp profile that containers get by the name RuntimeDefault.</summary>
/// <remarks>
/// The wall around a pod is its machine; the profile guards the guest's kernel, which all containers of the pod share. It keeps
/// from containers what belongs to whoever owns that kernel: modules, mounts, clocks, namespaces, tracing of the kernel, and
/// calls that few programs use and many exploits do. A capability that allows such a call by its nature takes it off the list.
/// </remarks>
internal static class SeccompProfile
{
    private const int PermissionDenied = 1;  // EPERM
    private const int NotImplemented = 38;   // ENOSYS: glibc and others then fall back to the older call
    private const int AlgorithmFamily = 38;  // AF_ALG
    private const int VsockFamily = 40;      // AF_VSOCK leads to the host
    private const ulong NamespaceFlags = 0x7E02_0000; // CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET

    private static readonly (string Capability, string[] Calls)[] Guarded =
    [
        ("CAP_SYS_ADMIN",
        [
            "mount", "umount", "umount2", "pivot_root", "fsopen", "fsconfig", "fsmount", "fspick", "move_mount", "open_tree",
            "mount_setattr", "setns", "unshare", "quotactl", "quotactl_fd", "swapon", "swapoff", "lookup_dcookie", "fanotify_init",
            "sethostname", "setdomainname",
        ]),
        ("CAP_SYS_MODULE", ["init_module", "finit_module", "delete_module", "create_module", "query_module", "get_kernel_syms"]),
        ("CAP_SYS_BOOT", ["reboot", "kexec_load", "kexec_file_load"]),
        ("CAP_SYS_TIME", ["settimeofday", "stime", "clock_settime", "clock_settime64"]),
        ("CAP_SYS_RAWIO", ["iopl", "ioperm"]),
        ("CAP_SYS_PACCT", ["acct"]),
        ("CAP_SYS_NICE", ["mbind", "set_mempolicy", "set_mempolicy_home_node", "migrate_pages", "move_pages"]),
        ("CAP_SYS_TTY_CONFIG", ["vhangup"]),
        ("CAP_SYSLOG", ["syslog"]),
        ("CAP_BPF", ["bpf"]),
        ("CAP_PERFMON", ["perf_event_open"]),
        ("CAP_DAC_READ_SEARCH", ["open_by_handle_at"]),
        ("CAP_SYS_PTRACE", ["kcmp", "pidfd_getfd", "userfaultfd"]),
    ];

    private static readonly string[] NeverAllowed =
    [
        "add_key", "request_key", "keyctl", "io_uring_setup", "io_uring_enter", "io_uring_register", "nfsservctl", "_sysctl", "sysfs",
        "uselib", "ustat", "vm86", "vm86old", "modify_ldt", "vmsplice",
    ];

    /// <summary>The profile for a container with these capabilities, as the OCI runtime spec's <c>linux.seccomp</c> object.</summary>
    /// <param name="capabilities">Names with CAP_.</param>
    public static string Default(IReadOnlyCollection<string> capabilities)
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
        {
            json.WriteStartObject();
            json.WriteString("defaultAction", "SCMP_ACT_ALLOW");
            json.WriteStartArray("architectures");
            json.WriteStringValue("SCMP_ARCH_X86_64");
            json.WriteStringValue("SCMP_ARCH_X86");
            json.WriteStringValue("SCMP_ARCH_X32");
            json.WriteEndArray();
            json.WriteStartArray("syscalls");
            WriteRule(json, NeverAllowed, PermissionDenied);
            foreach ((string capability, string[] calls) in Guarded)
            {
                if (!capabilities.Contains(capability) && !capabilities.Contains("CAP_SYS_ADMIN"))
                {
                    WriteRule(json, calls, PermissionDenied);
                }
            }

            if (!capabilities.Contains("CAP_SYS_ADMIN"))
            {
                // clone3 hides its flags behind a pointer, where a filter cannot look.
                WriteRule(json, ["clone3"], NotImplemented);
                WriteNamespaceRules(json);
            }

            WriteRule(json, ["socket", "socketpair"], PermissionDenied, 0, AlgorithmFamily, "SCMP_CMP_EQ");
            WriteRule(json, ["socket", "socketpair"], PermissionDenied, 0, VsockFamily, "SCMP_CMP_EQ");
            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(text.ToArray());
    }

    /// <summary>One rule for each flag: a masked comparison tells only equality.</summary>
    private static void WriteNamespaceRules(Utf8JsonWriter json)
    {
        for (ulong flag = 1; flag <= NamespaceFlags; flag <<= 1)
        {
            if ((NamespaceFlags & flag) != 0)
            {
                WriteRule(json, ["clone"], PermissionDenied, 0, flag, "SCMP_CMP_MASKED_EQ", flag);
            }
        }
    }

    private static void WriteRule(
        Utf8JsonWriter json, string[] calls, int errno, int? argument = null, ulong value = 0, string comparison = "", ulong? masked = null)
    {
        json.WriteStartObject();
        json.WriteStartArray("names");
        foreach (string call in calls)
        {
            json.WriteStringValue(call);
        }

        json.WriteEndArray();
        json.WriteString("action", "SCMP_ACT_ERRNO");
        json.WriteNumber("errnoRet", errno);
        if (argument is { } index)
        {
            json.WriteStartArray("args");
            json.WriteStartObject();
            json.WriteNumber("index", index);
            json.WriteNumber("value", value);
            if (masked is { } valueTwo)
            {
                json.WriteNumber("valueTwo", valueTwo);
            }

            json.WriteString("op", comparison);
            json.WriteEndObject();
            json.WriteEndArray();
        }

        json.WriteEndObject();
    }
}
