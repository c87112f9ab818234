using System.Globalization;
using System.Text;
using CliWrap;
using CliWrap.Buffered;
using Vks.Supervisor.ControlPlane;
using Vks.Supervisor.Pki;

namespace Vks.Tests.Kit;

/// <summary>A control plane on test hosts that is made and changed by <c>supervisor apply</c> alone, as its author would.</summary>
internal sealed class RolloutLab : IAsyncDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(6);

    private readonly string _programs;

    private RolloutLab(TestHosts hosts, int count, string programs)
    {
        Hosts = hosts;
        Count = count;
        _programs = programs;
        Directory = $"/tmp/vks-test-{hosts.Name}";
        Folder = new StateFolder(Path.Combine(Directory, "state"));
    }

    /// <summary>The hosts.</summary>
    public TestHosts Hosts { get; }

    /// <summary>How many hosts there are.</summary>
    public int Count { get; }

    /// <summary>All files.</summary>
    public string Directory { get; }

    /// <summary>What the author keeps.</summary>
    public StateFolder Folder { get; }

    /// <summary>The floating address.</summary>
    public string Floating => Hosts.Subnet + ".24";

    /// <summary>The file.</summary>
    public string File => Path.Combine(Directory, "supervisor.yaml");

    /// <summary>Makes hosts; nothing runs.</summary>
    /// <param name="count">How many.</param>
    public static async Task<RolloutLab> CreateAsync(int count)
    {
        RolloutLab lab = new(await TestHosts.CreateAsync(count), count, await KubernetesPrograms.FolderAsync());
        System.IO.Directory.CreateDirectory(lab.Directory);
        return lab;
    }

    /// <summary>The same programs in another folder: what an upgrade is to a control plane, but for what they do.</summary>
    public string OtherPrograms()
    {
        string folder = Path.Combine(Directory, "other-programs");
        System.IO.Directory.CreateDirectory(folder);
        foreach (string program in new[] { "kube-apiserver", "kube-controller-manager", "kube-scheduler" })
        {
            System.IO.File.CreateSymbolicLink(Path.Combine(folder, program), Path.Combine(_programs, program));
        }

        return folder;
    }

    /// <summary>Writes the file.</summary>
    /// <param name="replicas">How many members.</param>
    /// <param name="size">Their size.</param>
    /// <param name="programs">Kubernetes' programs; null for the usual.</param>
    public Task WriteAsync(int replicas, string size, string? programs = null) => System.IO.File.WriteAllTextAsync(File, $$"""
        name: demo
        replicas: {{replicas}}
        size: {{size}}
        firstAddress: {{Hosts.Subnet}}.21
        prefix: 24
        link: {{TestHosts.Link}}
        directory: {{Directory}}/hosts
        programs: {{programs ?? _programs}}
        supervisor: {{SupervisorProcess.Binary}}
        zones:
        - name: zone-1
          hosts:
        {{string.Join('\n', Enumerable.Range(1, Count).Select(number => $"  - {{ name: host-{number}, reach: [ip, netns, exec, {Hosts.Host(number)}] }}"))}}
        """);

    /// <summary>A process of the author's.</summary>
    public SupervisorProcess Start(params string[] verb) => SupervisorProcess.Start(Hosts.Fabric, Arguments(verb));

    /// <summary>Runs a verb to its end.</summary>
    public Task<(int Exit, string Output)> RunAsync(params string[] verb) => SupervisorProcess.RunAsync(s_limit, Hosts.Fabric, Arguments(verb));

    /// <summary>Applies the file; it must work.</summary>
    /// <returns>What was told.</returns>
    public async Task<string> ApplyAsync()
    {
        (int exit, string output) = await RunAsync("apply");
        Assert.True(exit == 0, $"{output}\n{Logs()}");
        return output;
    }

    /// <summary>A person with all rights, from the fabric.</summary>
    /// <param name="timeout">How long one answer is waited for.</param>
    public HttpClient Client(TimeSpan timeout)
    {
        SocketsHttpHandler handler = MutualTls.Client(Path.Combine(Folder.Pki, "ca.crt"), Path.Combine(Folder.Pki, MemberCertificates.Admin));
        handler.ConnectCallback = Hosts.ConnectAsync;
        handler.ConnectTimeout = timeout;
        return new HttpClient(handler) { BaseAddress = new Uri($"https://{Floating}:{MemberSettings.ApiPort}"), Timeout = timeout };
    }

    /// <summary>Names of members that hosts have anything of.</summary>
    public IReadOnlyList<string> OnHosts() => [.. new DirectoryInfo(Path.Combine(Directory, "hosts")).GetDirectories().Select(static folder => folder.Name).Order(StringComparer.Ordinal)];

    /// <summary>etcd's own list, by its own client.</summary>
    public async Task<IReadOnlyList<string>> EtcdAsync()
    {
        BookedMember member = Folder.Read()!.Members[0];
        BufferedCommandResult result = await Cli.Wrap("ip")
            .WithArguments(
            [
                "netns", "exec", Hosts.Fabric, "env", "ETCDCTL_API=3", "etcdctl", $"--endpoints=https://{member.Address}:{MemberSettings.EtcdPort}", $"--cacert={Folder.Pki}/etcd-ca.crt",
                $"--cert={Folder.Pki}/etcd-client.crt", $"--key={Folder.Pki}/etcd-client.key", "member", "list",
            ])
            .ExecuteBufferedAsync();
        return [.. result.StandardOutput.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => line.Split(", ")).Select(static fields => $"{fields[2]} {fields[1]} {fields[5]}").Order(StringComparer.Ordinal)];
    }

    /// <summary>The end of every log of members.</summary>
    public string Logs()
    {
        StringBuilder text = new();
        string folder = Path.Combine(Directory, "hosts");
        foreach (string log in System.IO.Directory.Exists(folder) ? System.IO.Directory.GetFiles(folder, "*.log", SearchOption.AllDirectories).Where(static file => !file.EndsWith("audit.log", StringComparison.Ordinal)) : [])
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"---- {log}").AppendLine(new LogFile(log).Tail(log.EndsWith("member.log", StringComparison.Ordinal) ? 20 : 4));
        }

        return text.ToString();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (BookedMember member in Folder.Read()?.Members ?? [])
        {
            if (System.IO.File.Exists(member.File))
            {
                await SupervisorProcess.RunAsync(Hosts.Host(int.Parse(member.Host.Name.Split('-')[1], CultureInfo.InvariantCulture)), "member", "stop", "--config", member.File);
            }
        }

        // Namespaces with processes left in them fail the test.
        await Hosts.DisposeAsync();
        System.IO.Directory.Delete(Directory, recursive: true);
    }

    private string[] Arguments(string[] verb) => [.. verb, "-f", File, "--state-directory", Folder.Path];
}
