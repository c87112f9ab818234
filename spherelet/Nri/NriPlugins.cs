using System.Collections.Immutable;
using Google.Protobuf;
using Nito.AsyncEx;
using Vks.Spherelet.Nri.Wire;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Nri;

/// <summary>The plugins that take part, in the order in which they are called.</summary>
/// <remarks>
/// One event at a time is told, to one plugin after another, as every runtime does it: plugins count on it. One that hangs up, breaks the
/// protocol or does not answer in time is let go, and the event goes on without it.
/// </remarks>
internal sealed partial class NriPlugins(ILogger<NriPlugins> logger) : IAsyncDisposable
{
    private readonly AsyncReaderWriterLock _joining = new();
    private readonly SemaphoreSlim _telling = new(1, 1);
    private ImmutableArray<NriPlugin> _plugins = [];

    /// <summary>Those that are connected.</summary>
    public IReadOnlyList<NriPlugin> All => [.. _plugins.Where(static plugin => !plugin.IsClosed)];

    /// <summary>Keeps plugins from joining until the entry is given back.</summary>
    public async Task<IDisposable> EnterAsync(CancellationToken cancellationToken) => await _joining.ReaderLockAsync(cancellationToken);

    /// <summary>Lets a plugin take part: it takes in all pods and containers while none is made, changed or removed.</summary>
    /// <param name="plugin">It has been started.</param>
    /// <param name="describe">All pods and containers.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>Changes of containers that it asks for.</returns>
    /// <exception cref="TtrpcException">It failed, or did not answer in time.</exception>
    public async Task<IReadOnlyList<ContainerUpdate>> JoinAsync(
        NriPlugin plugin, Func<(IReadOnlyList<Wire.PodSandbox> Pods, IReadOnlyList<Wire.Container> Containers)> describe, CancellationToken cancellationToken)
    {
        using (await _joining.WriterLockAsync(cancellationToken))
        {
            (IReadOnlyList<Wire.PodSandbox> pods, IReadOnlyList<Wire.Container> containers) = describe();
            IReadOnlyList<ContainerUpdate> updates = await plugin.SynchronizeAsync(pods, containers, cancellationToken);
            _plugins = [.. _plugins.Where(static other => !other.IsClosed).Append(plugin).OrderBy(static one => one.Name!.ToString(), StringComparer.Ordinal)];
            PluginJoined(plugin.Name!, pods.Count, containers.Count);
            return updates;
        }
    }

    /// <summary>Takes out a plugin whose connection has ended.</summary>
    public void Leave(NriPlugin plugin)
    {
        ImmutableInterlocked.Update(ref _plugins, static (plugins, gone) => plugins.Remove(gone), plugin);
        if (plugin.IsReady)
        {
            PluginLeft(plugin.Name!);
        }
    }

    /// <summary>Asks all that want to be, in their order; the first that refuses ends it.</summary>
    /// <param name="happened">What is asked.</param>
    /// <param name="subject">The pod or container, for messages.</param>
    /// <param name="request">Makes what each is given, which may follow from the answers of those before.</param>
    /// <param name="answer">Reads what it gives.</param>
    /// <param name="take">Takes its answer.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="PodException"><see cref="PodFault.Refused"/>: one refused, by its answer or because it does not go with another's.</exception>
    public async Task AskAsync<T>(
        Event happened, string subject, Func<IMessage> request, MessageParser<T> answer, Action<NriPlugin, T> take, CancellationToken cancellationToken)
        where T : IMessage<T>, new()
    {
        if (_plugins.IsEmpty)
        {
            return;
        }

        await _telling.WaitAsync(cancellationToken);
        try
        {
            foreach (NriPlugin plugin in _plugins.Where(plugin => plugin.Wants(happened)))
            {
                try
                {
                    take(plugin, await plugin.TellAsync(happened, request(), answer, cancellationToken));
                }
                catch (TtrpcException gone) when (gone.IsFatal)
                {
                    await LetGoAsync(plugin, happened, gone);
                }
                catch (TtrpcException refused)
                {
                    throw new PodException(
                        PodFault.Refused, subject, $"NRI plugin {plugin.Name} refused {NriMethods.Of(happened)} of {subject}: {refused.Message}", refused);
                }
            }
        }
        finally
        {
            _telling.Release();
        }
    }

    /// <summary>Tells all that want to be told; what they answer is logged at most.</summary>
    public async Task TellAsync(Event happened, string subject, IMessage request)
    {
        try
        {
            await AskAsync(happened, subject, () => request, Empty.Parser, static (_, _) => { }, CancellationToken.None);
        }
        catch (PodException refused)
        {
            NoticeRefused(refused.Message);
        }
    }

    /// <summary>Asks those who judge what the others want; each has to agree.</summary>
    /// <exception cref="PodException"><see cref="PodFault.Refused"/>: one does not agree, or gave no answer.</exception>
    public async Task ValidateAsync(string subject, Func<ValidateContainerAdjustmentRequest> request, CancellationToken cancellationToken)
    {
        foreach (NriPlugin plugin in _plugins.Where(static plugin => plugin.Wants(Event.ValidateContainerAdjustment)))
        {
            ValidateContainerAdjustmentResponse judged;
            try
            {
                judged = await plugin.TellAsync(
                    Event.ValidateContainerAdjustment, request(), ValidateContainerAdjustmentResponse.Parser, cancellationToken);
            }
            catch (TtrpcException cause)
            {
                if (cause.IsFatal)
                {
                    await LetGoAsync(plugin, Event.ValidateContainerAdjustment, cause);
                }

                throw new PodException(PodFault.Refused, subject, $"NRI plugin {plugin.Name} could not judge what is to change with {subject}: {cause.Message}", cause);
            }

            if (judged.Reject)
            {
                throw new PodException(PodFault.Refused, subject, $"NRI plugin {plugin.Name} rejects what other plugins change with {subject}: {judged.Reason}");
            }
        }
    }

    /// <summary>Tells all that the daemon ends, and hangs up.</summary>
    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_plugins.Select(static plugin => plugin.ShutDownAsync()));
        _plugins = [];
    }

    /// <summary>Hangs up; it leaves when that is done, as one that hangs up itself.</summary>
    private async Task LetGoAsync(NriPlugin plugin, Event happened, TtrpcException cause)
    {
        PluginLetGo(plugin.Name!, NriMethods.Of(happened), cause.Message);
        await plugin.DisposeAsync();
    }

    [LoggerMessage(3701, LogLevel.Information, "NRI plugin {Name} takes part; it was told of {Pods} pods and {Containers} containers")]
    private partial void PluginJoined(PluginName name, int pods, int containers);

    [LoggerMessage(3702, LogLevel.Information, "NRI plugin {Name} is gone")]
    private partial void PluginLeft(PluginName name);

    [LoggerMessage(3703, LogLevel.Error, "NRI plugin {Name} is let go, since {Method} failed: {Detail}")]
    private partial void PluginLetGo(PluginName name, string method, string detail);

    [LoggerMessage(3704, LogLevel.Warning, "{Detail}; it was only told, so nothing comes of it")]
    private partial void NoticeRefused(string detail);
}
