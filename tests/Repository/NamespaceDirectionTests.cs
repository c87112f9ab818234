using System.Text.RegularExpressions;
using Vks.Tests.Kit;

namespace Vks.Tests.Repository;

/// <summary>The direction of dependencies inside an assembly: which folder may use which.</summary>
public sealed partial class NamespaceDirectionTests
{
    /// <summary>Folder → namespaces of ours that it must not name. The table of who never knows what.</summary>
    private static readonly Dictionary<string, string[]> s_never = new(StringComparer.Ordinal)
    {
        ["runtime/Guest/Protocol"] = ["Vks.Runtime.Host", "Vks.Runtime.Qemu", "Vks.Runtime.Qmp", "Vks.Runtime.Templates", "Vks.Runtime.Machines", "Vks.Spherelet"],
        ["runtime/Guest"] = ["Vks.Runtime.Qemu", "Vks.Runtime.Qmp", "Vks.Runtime.Templates", "Vks.Runtime.Machines", "Vks.Spherelet"],
        ["runtime/Qmp"] = ["Vks.Runtime.Qemu", "Vks.Runtime.Guest", "Vks.Runtime.Templates", "Vks.Runtime.Machines", "Vks.Runtime.Host", "Vks.Spherelet"],
        ["runtime/Qemu"] = ["Vks.Runtime.Qmp", "Vks.Runtime.Guest", "Vks.Runtime.Templates", "Vks.Runtime.Machines", "Vks.Spherelet"],
        ["runtime/Host"] = ["Vks.Runtime.Qemu", "Vks.Runtime.Qmp", "Vks.Runtime.Guest", "Vks.Runtime.Templates", "Vks.Runtime.Machines", "Vks.Spherelet"],
        ["runtime/Templates"] = ["Vks.Runtime.Qemu", "Vks.Runtime.Qmp", "Vks.Runtime.Guest", "Vks.Runtime.Machines", "Vks.Spherelet"],
        ["runtime/Clocks"] = ["Vks.Runtime.Qemu", "Vks.Runtime.Qmp", "Vks.Runtime.Host", "Vks.Runtime.Templates", "Vks.Runtime.Machines", "Vks.Spherelet"],
        ["runtime/Machines"] = ["Vks.Spherelet"],
        ["spherelet/Cri"] = ["Vks.Runtime.Qmp", "Vks.Runtime.Qemu", "Vks.Runtime.Host"],
        ["spherelet/Pods"] = ["Vks.Runtime.Qmp", "Vks.Runtime.Qemu", "Vks.Spherelet.Cri", "Vks.Spherelet.Nri", "Runtime.V1", "Grpc."],
        ["spherelet/Images"] = ["Vks.Runtime.Qmp", "Vks.Runtime.Qemu", "Vks.Runtime.Machines", "Vks.Spherelet.Cri", "Vks.Spherelet.Pods", "Grpc."],
        ["spherelet/Network"] = ["Vks.Runtime.Qmp", "Vks.Runtime.Qemu", "Vks.Spherelet.Cri", "Vks.Spherelet.Pods", "Grpc."],
        ["spherelet/Machines"] = ["Vks.Runtime.Qmp", "Vks.Runtime.Qemu", "Vks.Runtime.Host", "Vks.Spherelet.Cri", "Vks.Spherelet.Nri"],
        ["spherelet/Nri"] = ["Vks.Runtime.Qmp", "Vks.Runtime.Qemu", "Vks.Spherelet.Cri", "Grpc."],
        ["supervisor"] = ["Vks.Runtime", "Vks.Spherelet"],
        ["supervisor/Kubernetes"] = ["Vks.Runtime", "Vks.Spherelet", "Vks.Supervisor.Zones", "Vks.Supervisor.Namespaces", "Vks.Supervisor.Placement"],
        ["supervisor/Zones"] = ["Vks.Runtime", "Vks.Spherelet", "Vks.Supervisor.Namespaces", "Vks.Supervisor.Placement"],
        ["supervisor/Namespaces"] = ["Vks.Runtime", "Vks.Spherelet", "Vks.Supervisor.Placement"],
        ["bench"] = ["Vks.Runtime.Machines", "Vks.Runtime.Guest", "Vks.Runtime.Qmp"],
        ["bench/Results"] = ["Vks.Runtime", "Vks.Spherelet", "Vks.Bench.Arms", "Vks.Bench.Sections", "Vks.Bench.Report"],
        ["bench/Report"] = ["Vks.Runtime", "Vks.Spherelet", "Vks.Bench.Arms", "Vks.Bench.Sections"],
        ["images/agent"] = ["Vks.Runtime.Host", "Vks.Runtime.Qemu", "Vks.Runtime.Qmp", "Vks.Runtime.Machines", "Vks.Spherelet"],
    };

    [Fact]
    public void No_folder_uses_what_it_must_not_know()
    {
        List<string> faults = [];
        var looked = 0;

        foreach (string file in RepositoryRoot.SourceFiles("*.cs"))
        {
            string folder = Path.GetDirectoryName(file)!;
            string text = File.ReadAllText(RepositoryRoot.Combine(file));
            string? rule = s_never.Keys.Where(key => folder == key || folder.StartsWith(key + "/", StringComparison.Ordinal)).MaxBy(key => key.Length);
            if (rule is null)
            {
                continue;
            }

            looked++;
            faults.AddRange(Usings().Matches(text).Select(match => match.Groups["name"].Value)
                .Where(used => s_never[rule].Any(never => (used + ".").StartsWith(never.TrimEnd('.') + ".", StringComparison.Ordinal)))
                .Select(used => $"{file} must not use {used}"));
        }

        Assert.Empty(faults);
        Assert.True(looked > 20, $"Only {looked} files were under a rule: have folders moved?");
    }

    [Fact]
    public void Native_calls_stay_in_the_host_folders()
    {
        IEnumerable<string> faults = RepositoryRoot.SourceFiles("*.cs")
            .Where(file => !file.StartsWith("runtime/Host/", StringComparison.Ordinal) && !file.StartsWith("images/agent/Host/", StringComparison.Ordinal)
                && !file.StartsWith("tests/", StringComparison.Ordinal))
            .Where(file => NativeImport().IsMatch(File.ReadAllText(RepositoryRoot.Combine(file))))
            .Select(file => $"{file}: native calls belong into a Host folder");

        Assert.Empty(faults);
    }

    [Fact]
    public void A_file_of_the_product_declares_the_namespace_of_its_folder()
    {
        Dictionary<string, string> roots = new(StringComparer.Ordinal)
        {
            ["runtime"] = "Vks.Runtime",
            ["spherelet"] = "Vks.Spherelet",
            ["supervisor"] = "Vks.Supervisor",
            ["bench"] = "Vks.Bench",
            ["images/agent"] = "Vks.Agent",
            ["tests"] = "Vks.Tests",
        };
        List<string> faults = [];

        foreach (string file in RepositoryRoot.SourceFiles("*.cs"))
        {
            string folder = Path.GetDirectoryName(file)!;
            string? root = roots.Keys.FirstOrDefault(key => folder == key || folder.StartsWith(key + "/", StringComparison.Ordinal));
            Match declared = Declared().Match(File.ReadAllText(RepositoryRoot.Combine(file)));
            if (root is null || !declared.Success)
            {
                continue;
            }

            string expected = roots[root] + folder[root.Length..].Replace('/', '.');
            if (declared.Groups["name"].Value != expected)
            {
                faults.Add($"{file} declares {declared.Groups["name"].Value}, its folder says {expected}");
            }
        }

        Assert.Empty(faults);
    }

    [GeneratedRegex(@"^\s*(?:global )?using (?:static )?(?:\w+ = )?(?:global::)?(?<name>[\w.]+);", RegexOptions.Multiline)]
    private static partial Regex Usings();

    [GeneratedRegex(@"\[(LibraryImport|DllImport)\b")]
    private static partial Regex NativeImport();

    [GeneratedRegex(@"^namespace (?<name>[\w.]+);", RegexOptions.Multiline)]
    private static partial Regex Declared();
}
