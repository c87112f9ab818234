using System.Text.Json;
using Vks.Agent.Containers;
using Vks.Agent.Network;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Boot;

/// <summary>Goes once through what every pod needs, for a guest that others will start from: what it reads and compiles is then in their memory.</summary>
/// <remarks>It must leave nothing behind, and use no randomness that would then be the same in every clone.</remarks>
internal sealed class WarmUp(Crun crun)
{
    private const string CrunLog = "/run/warmup.log";

    /// <summary>Runs it.</summary>
    internal async Task RunAsync()
    {
        _ = await Usage.ReadAsync([]);
        var personality = new GuestPersonality
        {
            Hostname = "template",
            WallClockUnixNanoseconds = Clock.UnixNanoseconds(),
            Entropy = [],
            MachineId = "",
            Interfaces = [new GuestInterface("eth0", "", 0, ["192.0.2.1/24"])],
            Routes = [new GuestRoute("0.0.0.0/0", "192.0.2.2", "eth0")],
            Hosts = "",
            ResolvConf = "",
        };
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(personality, GuestJson.Default.GuestPersonality);
        _ = JsonSerializer.Deserialize(json, GuestJson.Default.GuestPersonality);
        Interfaces.Look();
        await crun.RunAsync(CrunLog, ["--version"], "Running crun once");
    }
}
