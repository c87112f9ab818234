using System.CommandLine;
using k8s.Models;
using Vks.Supervisor.ControlPlane;
using Vks.Supervisor.Hosts;
using Vks.Supervisor.Kubernetes;
using Vks.Supervisor.Supervisors;

namespace Vks.Supervisor.Rollouts;

/// <summary><c>supervisor apply</c>, and what <c>supervisor rollout</c> has in common with it.</summary>
internal static class ApplyVerb
{
    /// <summary>The verb.</summary>
    public static Command Build()
    {
        Option<string> file = FileOption();
        Option<string?> state = StateOption();
        Option<int> minutes = LimitOption();
        Command command = new("apply", "Makes a control plane as its file says: brings it up where there is none; else adds, removes and replaces members, one at a time") { file, state, minutes };
        command.SetAction((parsed, cancellationToken) => RunAsync(
            ControlPlaneSettingsFile.Load(parsed.GetRequiredValue(file)), parsed.GetValue(state), parsed.GetValue(minutes), resume: false, parsed.InvocationConfiguration.Output, cancellationToken));
        return command;
    }

    /// <summary>The control plane's file.</summary>
    public static Option<string> FileOption() => new("--file", "-f") { Required = true, Description = "The control plane's settings" };

    /// <summary>Where its author keeps its state.</summary>
    public static Option<string?> StateOption() => new("--state-directory") { Description = "Where the authorities, the book of members and the admin's kubeconfig are kept [/var/lib/vks-supervisor/NAME]" };

    /// <summary>How long to wait for a member.</summary>
    public static Option<int> LimitOption() => new("--limit-minutes")
    {
        Description = "How long a new member may take to serve before it is taken away again", DefaultValueFactory = static _ => (int)RolloutTiming.Usual.Join.TotalMinutes,
    };

    /// <summary>Does what is missing.</summary>
    /// <param name="settings">What is wanted.</param>
    /// <param name="named">The state's folder, or null.</param>
    /// <param name="minutes">How long to wait for a new member.</param>
    /// <param name="resume">Whether a pause ends.</param>
    /// <param name="output">For the person who waits.</param>
    /// <param name="cancellationToken">Ends it; the next run goes on.</param>
    public static async Task RunAsync(ControlPlaneSettings settings, string? named, int minutes, bool resume, TextWriter output, CancellationToken cancellationToken)
    {
        StateFolder folder = StateFolder.Of(named, settings.Name);
        using FileStream only = folder.Lock();
        using MemberHosts hosts = new(settings, folder.Pki, TimeProvider.System);
        void Tell(string line) => output.WriteLine($"{TimeProvider.System.GetLocalNow():HH:mm:ss} {line}");
        if (resume)
        {
            folder.IsPaused = false;
        }

        // Members that are as the file says and do not run are started, as init does.
        if (folder.Read() is not { } book || (ControlPlaneInit.Made(book, settings) && await LacksAsync(book, hosts.Reach, cancellationToken)))
        {
            await new ControlPlaneInit(settings, folder, hosts.Reach, Tell, TimeProvider.System).RunAsync(cancellationToken);
        }

        folder.WriteKubeconfig(settings, TimeProvider.System);
        using EtcdMembers etcd = new(settings.Name, folder.Pki, TimeProvider.System);
        RolloutRun run = new(
            settings, folder, hosts.Reach, etcd, token => KubeletsAsync(folder.KubeconfigFile, token), Tell, RolloutTiming.Usual with { Join = TimeSpan.FromMinutes(minutes) }, TimeProvider.System);
        await run.RunAsync(cancellationToken);
        await Registration.RunAsync(settings, folder, Tell, TimeProvider.System, cancellationToken);
        await output.WriteLineAsync($"export KUBECONFIG={folder.KubeconfigFile}");
    }

    private static async Task<bool> LacksAsync(MemberBook book, Func<HostSettings, IMemberHost> reach, CancellationToken cancellationToken) =>
        (await Task.WhenAll(book.Members.Select(member => reach(member.Host).StateAsync(member.File, cancellationToken)))).Any(static state => state is null);

    private static async Task<IReadOnlyDictionary<string, string>?> KubeletsAsync(string kubeconfig, CancellationToken cancellationToken)
    {
        using ApiClient api = ApiClient.Open(kubeconfig);
        try
        {
            (IReadOnlyList<V1Node> nodes, _) = await api.ListAsync<V1Node>(null, null, cancellationToken);
            return nodes.ToDictionary(static node => node.Name(), static node => node.Status?.NodeInfo?.KubeletVersion ?? "", StringComparer.Ordinal);
        }
        catch (ApiException)
        {
            return null;
        }
    }
}
