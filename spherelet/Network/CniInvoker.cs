using CliWrap;
using CliWrap.Buffered;

namespace Vks.Spherelet.Network;

/// <summary>Runs CNI plugins: one process for each call, environment and standard input in, JSON out.</summary>
internal sealed class CniInvoker(PodNetworkOptions options)
{
    private static readonly Version s_check = new(0, 4, 0);
    private static readonly Version s_status = new(1, 1, 0);

    /// <summary>Runs ADD of each plugin in order and returns the last result.</summary>
    /// <exception cref="NetworkException">A plugin is missing, failed or took too long; what came before it is still there.</exception>
    public async Task<string> AddAsync(CniAttachment attachment, CancellationToken cancellationToken)
    {
        CniConfiguration network = attachment.Network;
        string? result = null;
        foreach (CniPlugin plugin in network.Plugins)
        {
            string output = await RunAsync("ADD", attachment, plugin, result, cancellationToken);
            result = string.IsNullOrWhiteSpace(output) ? result : output;
        }

        return result ?? throw new NetworkException(
            NetworkFault.PluginFailed, attachment.PodId, $"CNI ADD of network '{network.Name}' for pod {attachment.PodId} gave no result.");
    }

    /// <summary>Runs DEL of each plugin in reverse order. Plugins take it as done what is gone already.</summary>
    /// <exception cref="NetworkException">As for <see cref="AddAsync"/>; the plugins after the failing one have not run.</exception>
    public async Task DeleteAsync(CniAttachment attachment, CancellationToken cancellationToken)
    {
        foreach (CniPlugin plugin in attachment.Network.Plugins.Reverse())
        {
            await RunAsync("DEL", attachment, plugin, attachment.Result, cancellationToken);
        }
    }

    /// <summary>Runs CHECK of each plugin in order: is the pod's network still as it was made? Nothing is called below CNI 0.4.</summary>
    /// <exception cref="NetworkException"><see cref="NetworkFault.PluginFailed"/>: it is not; the message has the plugin's words.</exception>
    public async Task CheckAsync(CniAttachment attachment, CancellationToken cancellationToken)
    {
        CniConfiguration network = attachment.Network;
        if (!network.Speaks(s_check) || network.DisableCheck || attachment.Result is null)
        {
            return;
        }

        foreach (CniPlugin plugin in network.Plugins)
        {
            await RunAsync("CHECK", attachment, plugin, attachment.Result, cancellationToken);
        }
    }

    /// <summary>Runs STATUS of each plugin: could it take a pod now? Nothing is called below CNI 1.1.</summary>
    /// <exception cref="NetworkException"><see cref="NetworkFault.PluginFailed"/>: it could not; the message has the plugin's words.</exception>
    public async Task StatusAsync(CniConfiguration network, CancellationToken cancellationToken)
    {
        foreach (CniPlugin plugin in network.Speaks(s_status) ? network.Plugins : [])
        {
            await RunAsync("STATUS", network, plugin, CniPluginInput.Build(network, plugin), cancellationToken);
        }
    }

    /// <summary>Runs GC of each plugin: it frees what it holds for attachments that are not among these. Nothing is called below CNI 1.1.</summary>
    /// <exception cref="NetworkException">A plugin failed; all have been asked.</exception>
    public async Task CollectAsync(CniConfiguration network, IReadOnlyList<CniAttachment> valid, CancellationToken cancellationToken)
    {
        NetworkException? first = null;
        foreach (CniPlugin plugin in network.Speaks(s_status) && !network.DisableGarbageCollection ? network.Plugins : [])
        {
            try
            {
                await RunAsync("GC", network, plugin, CniPluginInput.Build(network, plugin, valid), cancellationToken);
            }
            catch (NetworkException problem)
            {
                first ??= problem;
            }
        }

        if (first is not null)
        {
            throw first;
        }
    }

    /// <summary>The plugin's program, or null.</summary>
    public string? FindPlugin(string type) =>
        options.PluginDirectories.Select(directory => Path.Combine(directory, type)).FirstOrDefault(File.Exists);

    private Task<string> RunAsync(string verb, CniAttachment attachment, CniPlugin plugin, string? previousResult, CancellationToken cancellationToken) =>
        RunAsync(
            verb, attachment.Network, plugin, CniPluginInput.Build(attachment.Network, plugin, attachment.RuntimeConfig, previousResult), cancellationToken, attachment);

    private async Task<string> RunAsync(
        string verb, CniConfiguration network, CniPlugin plugin, string input, CancellationToken cancellationToken, CniAttachment? attachment = null)
    {
        string podId = attachment?.PodId ?? "";
        string subject = $"CNI {verb} of plugin '{plugin.Type}' of network '{network.Name}'" + (attachment is null ? "" : $" for pod {podId}");
        string program = FindPlugin(plugin.Type) ?? throw new NetworkException(
            NetworkFault.NotConfigured,
            podId,
            $"{subject}: no such program in {string.Join(" or ", options.PluginDirectories)}. Install it (Debian: apt-get install containernetworking-plugins).");

        using CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(options.PluginTimeout);
        BufferedCommandResult ended;
        try
        {
            ended = await Cli.Wrap(program)
                .WithEnvironmentVariables(environment =>
                {
                    environment.Set("CNI_COMMAND", verb).Set("CNI_PATH", string.Join(':', options.PluginDirectories));
                    if (attachment is not null)
                    {
                        environment
                            .Set("CNI_CONTAINERID", podId)
                            .Set("CNI_NETNS", File.Exists(attachment.NetnsPath) ? attachment.NetnsPath : "")
                            .Set("CNI_IFNAME", attachment.InterfaceName)
                            .Set("CNI_ARGS", attachment.Arguments);
                    }
                })
                .WithStandardInputPipe(PipeSource.FromString(input))
                .WithValidation(CommandResultValidation.None)
                .ExecuteBufferedAsync(deadline.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new NetworkException(
                NetworkFault.TimedOut,
                podId,
                $"{subject}: it did not end within {options.PluginTimeout.TotalSeconds} s and was killed. See whether {program} hangs.");
        }
        catch (Exception problem) when (problem is System.ComponentModel.Win32Exception or IOException)
        {
            throw new NetworkException(
                NetworkFault.PluginFailed, podId, $"{subject}: {program} cannot be run: {problem.Message}. Is it a program for this host?", problem);
        }

        if (ended.ExitCode != 0)
        {
            CniPluginException refusal = CniPluginException.Read(plugin.Type, ended.ExitCode, ended.StandardOutput, ended.StandardError);
            throw new NetworkException(NetworkFault.PluginFailed, podId, $"{subject}: {refusal.Message}", refusal);
        }

        return ended.StandardOutput;
    }
}
