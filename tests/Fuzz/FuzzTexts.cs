using System.Globalization;
using Google.Protobuf.Reflection;

namespace Vks.Tests.Fuzz;

/// <summary>Texts for fields of CRI messages: ids and paths that exist, and rubbish. No text does harm outside the lab, whatever is done with it.</summary>
internal sealed class FuzzTexts(string folder, string image)
{
    private static readonly string[] s_rubbish =
    [
        "", " ", "a", ".", "..", "/", "//", "../../../../etc/passwd", "a/../../b", "/../..", "a\0b", "\0", "a\nb", "\r\n", "-", "--", "-1", "%s%n%x", "$(id)", "`id`", "'", "\"", "\\",
        "ü", "\u202e", "💥", "NaN", "null", "{}", "[]", "0x10", "9999999999999999999999", "sha256:", "sha256:00", "latest", ":latest", "@", "a@b", "A/B:C", "localhost/..",
        "0-", "0-99999", "1,,2", "s0:c1", "2MB", "memory.high", "cgroup.procs", "nofile=1:2", "vks.dev/ulimits", "ALL", "CAP_", "net.ipv4.ip_forward", "kernel..x", "127.0.0.1", "::", "10.0.0.0/8",
    ];

    private static readonly string[] s_programs = ["true", "false", "sh", "-c", "exit 3", "cat", "echo", "id", "/no/such/program", "/", "/etc", "/etc/passwd"];

    /// <summary>Containers that may be done anything to.</summary>
    public IReadOnlyList<string> Containers { get; set; } = [];

    /// <summary>Pods that may be done anything to.</summary>
    public IReadOnlyList<string> Pods { get; set; } = [];

    /// <summary>Ids of others, for calls that change nothing; empty for those that do.</summary>
    public IReadOnlyList<string> Others { get; set; } = [];

    /// <summary>A text for a field.</summary>
    public string For(FieldDescriptor field, Random random)
    {
        string text = Pick(field.Name, random);

        // Of a caller that is believed, any path would be written to.
        return field.Name != "log_directory" ? text
            : text.StartsWith('/') ? Path.Combine(folder, "logs") : text;
    }

    private string Pick(string field, Random random) => field switch
    {
        _ when random.Next(3) == 0 => Rubbish(random),
        "container_id" or "pod_sandbox_id" or "target_id" or "id" => Id(random, field),
        "image" or "image_ref" or "user_specified_image" => One(random, image, image.Split(':')[0], image + "@sha256:" + new string('0', 64), "127.0.0.1:1/a:b", image[..image.LastIndexOf('/')] + "/nothing:latest"),
        "log_directory" => One(random, Path.Combine(folder, "logs"), "logs", ""),
        "log_path" => One(random, "c/0.log", "a/b/c/d.log", "0.log", "pipe", "c", new string('x', 300)),
        "host_path" or "localhost_ref" or "seccomp_profile_path" => One(
            random, folder, Path.Combine(folder, "file"), Path.Combine(folder, "pipe"), Path.Combine(folder, "loop"), Path.Combine(folder, "not-there"), "/dev/zero", "/dev/fuse", "localhost/" + Path.Combine(folder, "pipe")),
        "container_path" or "working_dir" or "masked_paths" or "readonly_paths" => One(random, "/fuzz", "/etc", "/proc", "/proc/self/fd", "/dev", "/sys/fs/cgroup", "/a/b/c", "/etc/passwd", "/etc/passwd/x"),
        "command" or "args" or "cmd" => s_programs[random.Next(s_programs.Length)],
        "runtime_handler" => One(random, "", "crx", "crx-isolated"),
        "name" or "namespace" or "uid" => One(random, "fuzz", "f-" + random.Next(10_000).ToString(CultureInfo.InvariantCulture)),
        "hostname" => One(random, "fuzz", new string('h', 63), new string('h', 64)),
        _ => Rubbish(random),
    };

    private string Id(Random random, string field)
    {
        IReadOnlyList<string> mine = field == "pod_sandbox_id" ? Pods : field == "id" ? [.. Pods, .. Containers] : Containers;
        IReadOnlyList<string> some = Others.Count > 0 && random.Next(4) == 0 ? Others : mine;
        string id = some.Count > 0 ? some[random.Next(some.Count)] : new string('0', 64);
        return random.Next(8) switch
        {
            0 => id[..random.Next(8, 64)],
            1 => id.ToUpperInvariant(),
            2 => id + "0",
            3 => new string('e', 64),
            _ => id,
        };
    }

    private static string Rubbish(Random random) => random.Next(30) switch
    {
        0 => new string('x', 10_000),
        1 => new string('/', 5000),
        2 => string.Concat(Enumerable.Repeat("../", 300)),
        3 => new string('\u00e9', random.Next(1, 300)),
        4 when random.Next(10) == 0 => new string('y', 1_000_000),
        _ => s_rubbish[random.Next(s_rubbish.Length)],
    };

    private static string One(Random random, params string[] texts) => texts[random.Next(texts.Length)];
}
