using k8s;

namespace Vks.Supervisor.Kubernetes;

/// <summary>Writes the status of an object at the end of a look, when it differs.</summary>
internal static class StatusWriter
{
    /// <summary>Puts a status in place of the one that was read.</summary>
    /// <param name="api">The server.</param>
    /// <param name="item">The object as it was read; it gets the new status.</param>
    /// <param name="status">The new status.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <returns>Whether there was anything to write.</returns>
    /// <exception cref="ApiException"><see cref="ApiFault.Conflict"/>: the object changed meanwhile; look again.</exception>
    public static async Task<bool> WriteAsync<T, TSpec, TStatus>(ApiClient api, T item, TStatus status, CancellationToken cancellationToken)
        where T : CustomObject<TSpec, TStatus>
        where TSpec : class, new()
        where TStatus : class, new()
    {
        if (item.Status is not null && KubernetesJson.Serialize(item.Status) == KubernetesJson.Serialize(status))
        {
            return false;
        }

        item.Status = status;
        try
        {
            await api.ReplaceStatusAsync(item, cancellationToken);
        }
        catch (ApiException gone) when (gone.Fault == ApiFault.NotFound)
        {
            // Removed while we looked: nobody is left to read it.
        }

        return true;
    }
}
