using System.Collections.Concurrent;
using k8s;
using k8s.Models;

namespace Vks.Supervisor.Kubernetes;

/// <summary>A copy of all objects of one kind, kept up to date by list and watch.</summary>
/// <remarks>Objects are shared: read them, never change them. A copy may be older than the server's; whoever writes says which version it read.</remarks>
/// <typeparam name="T">The kind.</typeparam>
internal sealed partial class Informer<T>(ApiClient api, string? selectors, TimeProvider time, ILogger logger)
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    private static readonly TimeSpan s_firstPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<ObjectKey, T> _items = [];
    private readonly TaskCompletionSource _synced = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Called after each change with the object before (null: new) and after (null: gone), from one task at a time.</summary>
    public event Action<T?, T?>? Changed;

    /// <summary>Completes once the first list is in.</summary>
    public Task Synced => _synced.Task;

    /// <summary>All objects now.</summary>
    public ICollection<T> All => _items.Values;

    /// <summary>One object, or null.</summary>
    public T? Find(string space, string name) => _items.GetValueOrDefault(new ObjectKey(space, name));

    /// <summary>Follows the server until cancelled; a lost connection is a reason to try again, never to end.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        TimeSpan pause = s_firstPause;
        string? version = null;
        bool told = false;
        while (true)
        {
            try
            {
                version ??= await ListAsync(cancellationToken);
                told = false;
                await foreach ((WatchEventType type, T item) in api.WatchAsync<T>(selectors, version, cancellationToken))
                {
                    version = item.Metadata.ResourceVersion;
                    pause = s_firstPause;
                    Take(type, item);
                }
            }
            catch (ApiException expired) when (expired.Fault == ApiFault.Expired)
            {
                version = null;
            }
            catch (ApiException problem)
            {
                if (!told)
                {
                    // Once for each interruption; what goes on is no news.
                    WatchFailed(typeof(T).Name, problem.Message);
                    told = version is null;
                }

                await Task.Delay(pause, time, cancellationToken);
                pause = pause * 2 > s_longestPause ? s_longestPause : pause * 2;
            }
        }
    }

    private async Task<string> ListAsync(CancellationToken cancellationToken)
    {
        (IReadOnlyList<T> items, string version) = await api.ListAsync<T>(null, selectors, cancellationToken);
        HashSet<ObjectKey> present = [];
        foreach (T item in items)
        {
            present.Add(ObjectKey.Of(item));
            Put(item);
        }

        foreach (ObjectKey gone in _items.Keys.Where(key => !present.Contains(key)))
        {
            Remove(gone);
        }

        _synced.TrySetResult();
        return version;
    }

    private void Take(WatchEventType type, T item)
    {
        switch (type)
        {
            case WatchEventType.Added or WatchEventType.Modified:
                Put(item);
                break;
            case WatchEventType.Deleted:
                Remove(ObjectKey.Of(item));
                break;
            default:
                // A bookmark: only the version is news.
                break;
        }
    }

    private void Put(T item)
    {
        ObjectKey key = ObjectKey.Of(item);
        T? before = _items.GetValueOrDefault(key);
        if (before?.Metadata.ResourceVersion != item.Metadata.ResourceVersion)
        {
            _items[key] = item;
            Changed?.Invoke(before, item);
        }
    }

    private void Remove(ObjectKey key)
    {
        if (_items.TryRemove(key, out T? before))
        {
            Changed?.Invoke(before, null);
        }
    }

    [LoggerMessage(4201, LogLevel.Warning, "Watching {Kind} was interrupted and is tried again: {Problem}")]
    private partial void WatchFailed(string kind, string problem);
}
