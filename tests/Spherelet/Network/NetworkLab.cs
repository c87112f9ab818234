using CliWrap;
using CliWrap.Buffered;
using Microsoft.Extensions.Logging.Abstractions;
using Vks.Spherelet.Network;

namespace Vks.Tests.Spherelet.Network;

/// <summary>A bridge, address range and state folder of its own, with real plugins; takes all of it away again.</summary>
internal sealed class NetworkLab : IAsyncDisposable
{
    private static int s_count;

    private readonly string _ipv4Before = File.ReadAllText("/proc/sys/net/ipv4/ip_forward");
    private readonly string _ipv6Before = File.ReadAllText("/proc/sys/net/ipv6/conf/all/forwarding");

    public NetworkLab(params string[] subnets)
    {
        int number = Interlocked.Increment(ref s_count);
        Directory = System.IO.Directory.CreateTempSubdirectory("vks-net-").FullName;
        Options = new PodNetworkOptions
        {
            StateDirectory = Path.Combine(Directory, "cni"),
            ConfigDirectory = Path.Combine(Directory, "net.d"),
            PluginDirectories = [Path.Combine(Directory, "bin"), "/opt/cni/bin", "/usr/lib/cni"],
            BridgeName = $"vkt{Environment.ProcessId % 100000}-{number}",
            PodSubnets = subnets.Length == 0 ? [$"10.213.{number}.0/24"] : subnets,
            PluginTimeout = TimeSpan.FromSeconds(20),
        };
        System.IO.Directory.CreateDirectory(Path.Combine(Directory, "bin"));
        System.IO.Directory.CreateDirectory(Options.ConfigDirectory);
    }

    public string Directory { get; }

    public PodNetworkOptions Options { get; }

    public CniPodNetwork Open() => new(Options, NullLogger<CniPodNetwork>.Instance);

    public static PodNetworkRequest Pod() => new()
    {
        PodId = Convert.ToHexStringLower(Guid.NewGuid().ToByteArray()) + Convert.ToHexStringLower(Guid.NewGuid().ToByteArray()),
        Name = "web",
        Namespace = "lab",
        Uid = "4711",
    };

    /// <summary>Writes a plugin that is a shell script; it finds its lab's folder in $LAB.</summary>
    public void WritePlugin(string type, string script)
    {
        string path = Path.Combine(Directory, "bin", type);
        File.WriteAllText(path, $"#!/bin/sh\nLAB={Directory}\n{script}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>Writes the host's configuration.</summary>
    /// <param name="plugins">JSON objects, separated by commas.</param>
    /// <param name="version">Version of CNI it speaks.</param>
    /// <param name="more">More members of the list itself, each with a comma behind it.</param>
    public void WriteNetwork(string plugins, string version = "1.0.0", string more = "") =>
        File.WriteAllText(Path.Combine(Options.ConfigDirectory, "10-lab.conflist"), $$"""{"cniVersion":"{{version}}","name":"lab",{{more}}"plugins":[{{plugins}}]}""");

    /// <summary>What the lab has on the host: namespaces of its pods, veths on its bridge, leases, stored attachments, firewall rules.</summary>
    public async Task<IReadOnlyList<string>> TracesAsync(params PodNetworkRequest[] pods)
    {
        List<string> traces = [.. pods.Select(static pod => PodNamespace.PathOf(pod.PodId)).Where(File.Exists)];
        string ports = $"/sys/class/net/{Options.BridgeName}/brif";
        traces.AddRange(System.IO.Directory.Exists(ports) ? System.IO.Directory.EnumerateFileSystemEntries(ports) : []);
        string leases = $"/run/cni/vks/{Options.BridgeName}";
        traces.AddRange(System.IO.Directory.Exists(leases)
            ? System.IO.Directory.EnumerateFiles(leases).Where(static path => char.IsAsciiHexDigit(Path.GetFileName(path)[0]))
            : []);
        traces.AddRange(Open().List());
        string rules = await RunAsync("iptables-save", "-t", "nat");
        traces.AddRange(rules.Split('\n').Where(line => pods.Any(pod => line.Contains(pod.PodId, StringComparison.Ordinal))));
        return traces;
    }

    /// <summary>As <see cref="TracesAsync"/>, once the kernel has freed what it frees late; at most 5 s.</summary>
    public async Task<IReadOnlyList<string>> SettledTracesAsync(params PodNetworkRequest[] pods)
    {
        IReadOnlyList<string> traces = await TracesAsync(pods);
        for (int tries = 0; tries < 50 && traces.Any(static trace => !trace.StartsWith("-A", StringComparison.Ordinal)); tries++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100));
            traces = await TracesAsync(pods);
        }

        return traces;
    }

    public static async Task<string> RunAsync(string program, params string[] arguments) =>
        (await Cli.Wrap(program).WithArguments(arguments).ExecuteBufferedAsync(new CancellationTokenSource(TimeSpan.FromSeconds(20)).Token)).StandardOutput;

    public async ValueTask DisposeAsync()
    {
        CniPodNetwork network = Open();
        foreach (string podId in network.List())
        {
            await network.TearDownAsync(podId, CancellationToken.None);
        }

        if (System.IO.Directory.Exists($"/sys/class/net/{Options.BridgeName}"))
        {
            await RunAsync("ip", "link", "delete", Options.BridgeName);
        }

        string leases = $"/run/cni/vks/{Options.BridgeName}";
        if (System.IO.Directory.Exists(leases))
        {
            System.IO.Directory.Delete(leases, recursive: true);
        }

        // Rules of namespaces that were gone before the plugin could look into them.
        await RunAsync("bash", "-c", $$"""
            for chain in $(iptables-save -t nat | grep -F '{{Options.BridgeName}}' | grep -o 'CNI-[0-9a-f]*' | sort -u); do
              iptables -w -t nat -S POSTROUTING | grep -- "-j $chain" | sed 's/^-A/-D/' | while read -r rule; do eval "iptables -w -t nat $rule"; done
              iptables -w -t nat -F "$chain"; iptables -w -t nat -X "$chain"
            done
            """);
        System.IO.Directory.Delete(Directory, recursive: true);
        await File.WriteAllTextAsync("/proc/sys/net/ipv4/ip_forward", _ipv4Before);
        await File.WriteAllTextAsync("/proc/sys/net/ipv6/conf/all/forwarding", _ipv6Before);
    }
}
