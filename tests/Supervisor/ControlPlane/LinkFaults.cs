using System.Globalization;
using CliWrap;
using CliWrap.Buffered;
using Vks.Supervisor.ControlPlane;
using Vks.Tests.Kit;

namespace Vks.Tests.Supervisor.ControlPlane;

/// <summary>What may befall the links of members that are in a zone each: a zone is cut off from all others, or two zones from each other.</summary>
internal sealed class LinkFaults(ControlPlaneLab lab)
{
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(30);

    /// <summary>Every fault by its name.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        "holder's zone cut off, with clients in it", "another's zone cut off, with clients in it",
        "link cut between the holder and etcd's leader", "link cut between the holder, which leads etcd, and another", "link cut between the two others",
    ];

    /// <summary>Does it. What it gives mends it.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="holder">The member that has the floating address.</param>
    public async Task<Func<Task>> DoAsync(string name, int holder)
    {
        int[] others = [.. lab.Numbers.Where(number => number != holder)];
        switch (name)
        {
            case "holder's zone cut off, with clients in it":
                return await CutZoneAsync(holder);
            case "another's zone cut off, with clients in it":
                return await CutZoneAsync(others[0]);
            case "link cut between the holder and etcd's leader":
                await LeadAsync(others[0]);
                return await CutBetweenAsync(holder, others[0]);
            case "link cut between the holder, which leads etcd, and another":
                await LeadAsync(holder);
                return await CutBetweenAsync(holder, others[0]);
            case "link cut between the two others":
                return await CutBetweenAsync(others[0], others[1]);
            default:
                throw new ArgumentException($"there is no fault '{name}'", nameof(name));
        }
    }

    /// <summary>Those in the zone have a writer, too: what it is told is written must be there when the zone is back.</summary>
    private async Task<Func<Task>> CutZoneAsync(int number)
    {
        WriteLoad inside = WriteLoad.Start(lab.Client(lab.Floating, TimeSpan.FromSeconds(1), lab.Hosts.ClientsOf(number)));
        await inside.NextAsync(s_answer, lab.Logs);
        await lab.Hosts.ZoneLinkAsync(number, plugged: false);
        return async () =>
        {
            await using WriteLoad owned = inside;
            await lab.Hosts.ZoneLinkAsync(number, plugged: true);
            await lab.ReadyAsync(number);
            await inside.NextAsync(s_answer, lab.Logs);
            using HttpClient reader = lab.Client(lab.Floating, s_answer);
            Assert.Empty(await inside.LostAsync(reader));
        };
    }

    private async Task<Func<Task>> CutBetweenAsync(int one, int other)
    {
        await lab.Hosts.LinkBetweenAsync(one, other, plugged: false);
        return async () =>
        {
            await lab.Hosts.LinkBetweenAsync(one, other, plugged: true);
            await lab.ReadyAsync(one);
            await lab.ReadyAsync(other);
        };
    }

    /// <summary>Lets a member lead etcd.</summary>
    private async Task LeadAsync(int number)
    {
        int leader = lab.Numbers.Single(one => lab.State(one)!.Etcd.IsLeader);
        if (leader == number)
        {
            return;
        }

        string status = await EtcdctlAsync(number, "endpoint", "status", "--write-out=json");
        string id = System.Text.Json.JsonDocument.Parse(status).RootElement[0].GetProperty("Status").GetProperty("header").GetProperty("member_id").GetUInt64().ToString("x", CultureInfo.InvariantCulture);
        await EtcdctlAsync(leader, "move-leader", id);
        await lab.UntilAsync(() => lab.State(number)?.Etcd.IsLeader == true, s_answer, $"member {number} leads etcd");
    }

    private async Task<string> EtcdctlAsync(int number, params string[] arguments)
    {
        string pki = Path.Combine(lab.Folder(number), "pki");
        BufferedCommandResult result = await Cli.Wrap("ip")
            .WithArguments(
            [
                "netns", "exec", lab.Hosts.Fabric, "env", "ETCDCTL_API=3", "etcdctl", $"--endpoints=https://{lab.Address(number)}:{MemberSettings.EtcdPort}", $"--cacert={pki}/etcd-ca.crt",
                $"--cert={pki}/etcd-client.crt", $"--key={pki}/etcd-client.key", .. arguments,
            ])
            .ExecuteBufferedAsync();
        return result.StandardOutput;
    }
}
