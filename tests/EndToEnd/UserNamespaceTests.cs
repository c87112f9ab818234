using CliWrap;
using CliWrap.Buffered;
using Vks.Spherelet.Cri.V1;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>Pods with <c>hostUsers: false</c>: root inside is nobody outside, and still owns its image and its volumes.</summary>
[Collection(NodeCollection.Name)]
public sealed class UserNamespaceTests(NodeLab lab)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Root_of_a_pod_with_a_user_namespace_owns_image_volume_and_low_ports_and_is_another_user_of_its_guest()
    {
        NamespaceOption options = new()
        {
            UsernsOptions = new UserNamespace { Mode = NamespaceMode.Pod, Uids = { Mapping() }, Gids = { Mapping() } },
        };
        PodSandboxConfig config = PodUnderTest.NewConfig(lab);
        config.Linux.SecurityContext = new LinuxSandboxSecurityContext { NamespaceOptions = options };
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token, config);
        string folder = Directory.CreateDirectory(Path.Combine(lab.Directory, "mapped"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "secret"), "told", Token);
        File.SetUnixFileMode(Path.Combine(folder, "secret"), UnixFileMode.UserRead);

        string first = await StartAsync(pod, made =>
        {
            made.Linux.SecurityContext = new LinuxContainerSecurityContext { NamespaceOptions = options };
            made.Mounts.Add(new Mount { ContainerPath = "/v", HostPath = folder, UidMappings = { Mapping() }, GidMappings = { Mapping() } });
        });
        string second = await StartAsync(pod, made => made.Linux.SecurityContext = new LinuxContainerSecurityContext
        {
            NamespaceOptions = options, RunAsUser = new Int64Value { Value = 33 },
        });

        Assert.Equal("0 1000 70000\n", await pod.ExecAsync(first, Token, "sh", "-c", "echo $(cat /proc/self/uid_map)"));
        Assert.Equal("0 0 /etc/passwd\n", await pod.ExecAsync(first, Token, "stat", "-c", "%u %g %n", "/etc/passwd"));
        Assert.Equal("told 0\n", await pod.ExecAsync(first, Token, "sh", "-c", "echo $(cat /v/secret) $(stat -c %u /v/secret)"));
        await pod.ExecAsync(first, Token, "sh", "-c", "echo new > /v/new && chown 33:34 /v/new && echo 127.0.0.9 here >> /etc/hosts && mkdir /mine && echo out > /dev/stdout");
        Assert.Equal("33 34\n", await HostAsync("stat", "-c", "%u %g", Path.Combine(folder, "new")));
        await pod.ExecAsync(first, Token, "sh", "-c", "nc -l -p 80 -e true < /dev/null & sleep 1; netstat -ln | grep -q ':80 '");
        Assert.Equal(
            await pod.ExecAsync(first, Token, "readlink", "/proc/self/ns/user"), await pod.ExecAsync(second, Token, "readlink", "/proc/self/ns/user"));
        Assert.Equal("33\n", await pod.ExecAsync(second, Token, "id", "-u"));
        UserNamespace told = (await pod.StatusAsync(Token)).Linux.Namespaces.Options.UsernsOptions;
        Assert.Equal(options.UsernsOptions, told);
        Assert.Equal([Mapping()], (await pod.ContainerStatusAsync(first, Token)).Mounts[0].UidMappings);

        static IDMapping Mapping() => new() { ContainerId = 0, HostId = 1000, Length = 70_000 };
    }

    private async Task<string> StartAsync(PodUnderTest pod, Action<ContainerConfig> change)
    {
        string id = await pod.CreateAsync(Token, change, "sleep", "1000");
        await lab.Cri.Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = id }, cancellationToken: Token);
        return id;
    }

    private static async Task<string> HostAsync(string program, params string[] arguments) =>
        (await Cli.Wrap(program).WithArguments(arguments).ExecuteBufferedAsync(Token)).StandardOutput;
}
