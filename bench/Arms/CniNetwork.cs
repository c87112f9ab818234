using CliWrap;

namespace Vks.Bench.Arms;

/// <summary>The network of one arm: the same plugins with the same settings for all, only bridge and subnet are each arm's own.</summary>
/// <param name="Bridge">Name of the bridge.</param>
/// <param name="Subnet">Its pods' addresses.</param>
/// <param name="ConfigDirectory">Folder with the one configuration.</param>
internal sealed record CniNetwork(string Bridge, string Subnet, string ConfigDirectory)
{
    /// <summary>Where plugins may be.</summary>
    private static readonly string[] s_pluginFolders = ["/opt/cni/bin", "/usr/lib/cni"];

    /// <summary>The folder that has the plugins.</summary>
    /// <exception cref="BenchException">None has.</exception>
    public static string PluginDirectory =>
        Array.Find(s_pluginFolders, static folder => File.Exists(Path.Combine(folder, "bridge")) && File.Exists(Path.Combine(folder, "host-local")))
        ?? throw new BenchException($"No CNI plugins in {string.Join(" or ", s_pluginFolders)}. Do: apt-get install containernetworking-plugins (./vks bench does it).");

    /// <summary>Writes the configuration.</summary>
    /// <param name="directory">Folder of the arm.</param>
    /// <param name="bridge">Name of its bridge.</param>
    /// <param name="subnet">Its pods' addresses.</param>
    public static CniNetwork Create(string directory, string bridge, string subnet)
    {
        string folder = Path.Combine(directory, "cni");
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "10-bench.conflist"), $$"""
            {
              "cniVersion": "1.0.0",
              "name": "{{bridge}}",
              "plugins": [
                {
                  "type": "bridge", "bridge": "{{bridge}}", "isGateway": true, "ipMasq": true, "hairpinMode": true,
                  "ipam": { "type": "host-local", "dataDir": "{{folder}}/addresses", "ranges": [[{ "subnet": "{{subnet}}" }]], "routes": [{ "dst": "0.0.0.0/0" }] }
                },
                { "type": "portmap", "capabilities": { "portMappings": true } }
              ]
            }
            """);
        return new CniNetwork(bridge, subnet, folder);
    }

    /// <summary>Takes the bridge away; plugins never do.</summary>
    public async Task RemoveBridgeAsync() =>
        await Cli.Wrap("ip").WithArguments(["link", "delete", Bridge]).WithValidation(CommandResultValidation.None).ExecuteAsync();
}
