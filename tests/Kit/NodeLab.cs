using System.Globalization;
using System.Text.RegularExpressions;
using CliWrap;
using Vks.Spherelet.Cri.V1;
using Vks.Spherelet.Protos;

namespace Vks.Tests.Kit;

/// <summary>
/// One host of our own: a registry with the demo image and a daemon, both on folders below <c>/tmp/vks-test-*</c>. Shared by the end-to-end
/// tests, which run one after another; taken down with proof that nothing is left.
/// </summary>
public sealed partial class NodeLab : IAsyncLifetime
{
    private Registry? _registry;
    private readonly HashSet<string> _podIds = [];
    private LeakCheck? _before;

    /// <summary>Everything of this lab lies below it. Short, because socket paths are.</summary>
    internal string Directory { get; } = Path.Combine("/tmp", string.Create(CultureInfo.InvariantCulture, $"vks-test-{Random.Shared.Next():x8}"));

    internal SphereletProcess Daemon { get; private set; } = null!;

    internal string Image { get; private set; } = "";

    internal CriClient Cri => Daemon.Cri;

    /// <summary>Bridge of this lab's pods.</summary>
    internal string BridgeName { get; } = string.Create(CultureInfo.InvariantCulture, $"vkt{Random.Shared.Next() & 0xffffff:x6}");

    private string[] DaemonArguments { get; set; } = [];

    public async ValueTask InitializeAsync()
    {
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        _before = TakeLeakCheck();
        System.IO.Directory.CreateDirectory(Path.Combine(Directory, "cni"));
        _registry = await Registry.StartAsync();
        Image = await DemoImage.PushAsync(_registry, cancellationToken);
        DaemonArguments =
        [
            "--bridge-name", BridgeName,
            "--pod-subnets", string.Create(CultureInfo.InvariantCulture, $"10.{Random.Shared.Next(100, 200)}.0.0/16"),
            "--cni-config-directory", Path.Combine(Directory, "cni"),
        ];
        Daemon = await SphereletProcess.StartAsync(Directory, cancellationToken, DaemonArguments);
        await Cri.Images.PullImageAsync(new PullImageRequest { Image = new ImageSpec { Image = Image } }, cancellationToken: cancellationToken);
    }

    /// <summary>
    /// Completes when a pod of the default size has started from a template. The daemon makes one when it starts, may give it up when starts were slow on a
    /// busy host, and makes it anew when a pod asks.
    /// </summary>
    internal Task WaitForTemplateAsync(CancellationToken cancellationToken) => Eventually.TrueAsync(
        async () => TemplateLine().IsMatch(Daemon.Log) && await StartsFromTemplateAsync(cancellationToken), TimeSpan.FromSeconds(180), () => $"no pod started from a template:\n{Daemon.Log}", cancellationToken);

    private async Task<bool> StartsFromTemplateAsync(CancellationToken cancellationToken)
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(this, cancellationToken);
        return (await GuestIdentity.InfoAsync(this, pod, cancellationToken)).GetProperty("template").GetString()!.Length > 0;
    }

    /// <summary>Starts the daemon anew on the same folders.</summary>
    internal async Task RestartDaemonAsync(CancellationToken cancellationToken, params string[] moreArguments)
    {
        await Daemon.DisposeAsync();
        RememberPods();
        Daemon = await SphereletProcess.StartAsync(Directory, cancellationToken, [.. DaemonArguments, .. moreArguments]);
    }

    /// <summary>What this lab has on the host now.</summary>
    internal LeakCheck TakeLeakCheck()
    {
        RememberPods();
        return LeakCheck.Take(Directory, Daemon?.Pid ?? 0, _podIds, BridgeName);
    }

    /// <summary>Pod ids from the daemon's words and folders: what a killed daemon began may be known from only one of them.</summary>
    private void RememberPods()
    {
        _podIds.UnionWith(PodId().Matches(Daemon?.Log ?? "").Select(match => match.Value));
        _podIds.UnionWith(new[] { "root/pods", "root/machines", "root/cni/pods" }.Select(folder => Path.Combine(Directory, folder))
            .Where(System.IO.Directory.Exists).SelectMany(System.IO.Directory.EnumerateFileSystemEntries)
            .SelectMany(path => PodId().Matches(Path.GetFileName(path))).Select(match => match.Value));
    }

    [GeneratedRegex("Template [0-9a-f]{32} (made|found) for")]
    private static partial Regex TemplateLine();

    [GeneratedRegex("[0-9a-f]{64}")]
    private static partial Regex PodId();

    /// <summary>Removes every pod.</summary>
    internal async Task RemoveAllPodsAsync(CancellationToken cancellationToken)
    {
        foreach (PodSandbox pod in (await Cri.Runtime.ListPodSandboxAsync(new ListPodSandboxRequest(), cancellationToken: cancellationToken)).Items)
        {
            await Cri.Runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = pod.Id }, cancellationToken: cancellationToken);
            await Cri.Runtime.RemovePodSandboxAsync(new RemovePodSandboxRequest { PodSandboxId = pod.Id }, cancellationToken: cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Daemon is not null)
        {
            await RemoveAllPodsAsync(CancellationToken.None);
            RememberPods();
            await Daemon.StopAsync();
            await Daemon.DisposeAsync();
        }

        if (_registry is not null)
        {
            await _registry.DisposeAsync();
        }

        await Cli.Wrap("ip").WithArguments(["link", "delete", BridgeName]).WithValidation(CommandResultValidation.None).ExecuteAsync();
        LeakCheck after = await LeakCheck.SettleAsync(TakeLeakCheck, _before!, CancellationToken.None);
        Assert.Empty(_before!.Differences(after));
        System.IO.Directory.Delete(Directory, recursive: true);
    }
}
