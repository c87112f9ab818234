namespace Vks.Spherelet.Network;

/// <summary>The bridge that the bridge plugin made for our own configuration.</summary>
internal static class OwnBridge
{
    /// <summary>Deletes the bridge and its address leases when nothing is plugged into it any more. None is no error.</summary>
    /// <exception cref="NetworkException"><see cref="NetworkFault.HostFailed"/>: it cannot be deleted.</exception>
    public static async Task RemoveUnusedAsync(string name, CancellationToken cancellationToken)
    {
        string ports = $"/sys/class/net/{name}/brif";
        if (!Directory.Exists(ports) || Directory.EnumerateFileSystemEntries(ports).Any())
        {
            return;
        }

        await IpBatch.RunAsync("", "ip", [], [$"link delete dev {name}"], cancellationToken);
        string leases = Path.Combine(DefaultCniConfiguration.AddressDirectory, name);
        if (Directory.Exists(leases))
        {
            Directory.Delete(leases, recursive: true);
        }
    }
}
