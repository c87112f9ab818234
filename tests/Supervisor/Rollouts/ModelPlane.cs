using System.Net;
using Vks.Supervisor;
using Vks.Supervisor.ControlPlane;
using Vks.Supervisor.Hosts;
using Vks.Supervisor.Rollouts;

namespace Vks.Tests.Supervisor.Rollouts;

/// <summary>
/// A control plane in memory: hosts that run members and etcd's list of them, as a rolling replacement meets them. It refuses what etcd and
/// hosts refuse, and writes down whatever must never be. Whoever changes it can be killed at any call, before it is done or after.
/// </summary>
internal sealed class ModelPlane : IEtcdMembers
{
    private readonly Dictionary<ulong, Entry> _etcd = [];
    private readonly HashSet<string> _told = [];
    private readonly Dictionary<string, ModelHost> _hosts = [];
    private ulong _nextId = 1;
    private ulong _leader;
    private string? _holder;

    /// <summary>Makes its hosts.</summary>
    public ModelPlane(IEnumerable<HostSettings> hosts)
    {
        foreach (HostSettings host in hosts)
        {
            _hosts[host.Name] = new ModelHost(this, host.Name);
        }
    }

    /// <summary>The version of the programs in a folder.</summary>
    public Dictionary<string, string> Programs { get; } = new(StringComparer.Ordinal) { ["/opt/k1"] = "v1.20.2", ["/opt/k2"] = "v1.21.0" };

    /// <summary>What must never be, and was.</summary>
    public List<string> Broken { get; } = [];

    /// <summary>Calls that changed something, or could have.</summary>
    public int Calls { get; private set; }

    /// <summary>At which of them, counted from 1, whoever calls is killed; 0 for none.</summary>
    public int KillAt { get; set; }

    /// <summary>Whether what is called is done nevertheless.</summary>
    public bool KillAfter { get; set; }

    /// <summary>Members that never catch up, or never serve, by name.</summary>
    public HashSet<string> Lame { get; } = [];

    /// <summary>All members, wherever they are.</summary>
    public IEnumerable<Process> Members => _hosts.Values.SelectMany(static host => host.Members.Values);

    /// <summary>etcd's members.</summary>
    public IReadOnlyCollection<Entry> Etcd => _etcd.Values;

    /// <summary>The member that has the floating address.</summary>
    public string? Holder => _holder;

    /// <summary>The host of a name.</summary>
    public IMemberHost Reach(HostSettings host) => _hosts[host.Name];

    /// <summary>Puts the members of a book there, all serving.</summary>
    public void Begin(MemberBook book)
    {
        foreach (BookedMember member in book.Members)
        {
            _etcd[_nextId] = new Entry(_nextId++, member.Ip, false);
            string programs = member.Settings.Split('\n').Single(static line => line.StartsWith("programs:", StringComparison.Ordinal)).Split(' ')[1];
            _hosts[member.Host.Name].Members[member.File] = new Process(member.Name, member.Ip) { Runs = true, Programs = programs };
        }

        Settle();
    }

    public Task<EtcdView> LookAsync(IReadOnlyList<IPAddress> through, CancellationToken cancellationToken)
    {
        Settle();
        return Majority && through.Any(address => Voter(address) is { } voter && Serves(voter))
            ? Task.FromResult(new EtcdView([.. _etcd.Values.Select(static entry => new EtcdEntry(entry.Id, entry.Address, entry.IsLearner))], _leader, _told.ToHashSet(), _holder))
            : throw new SupervisorException(SupervisorFault.ControlPlane, "etcd does not answer");
    }

    public Task<string?> AddLearnerAsync(IPAddress address, CancellationToken cancellationToken) => ChangeAsync(() =>
    {
        if (_etcd.Values.Any(entry => entry.Address.Equals(address)))
        {
            return "Peer URLs already exists";
        }

        if (_etcd.Values.Any(entry => !entry.IsLearner && !Serves(entry)))
        {
            return "unhealthy cluster";
        }

        _etcd[_nextId] = new Entry(_nextId, address, true);
        _nextId++;
        return null;
    });

    public Task<string?> PromoteAsync(ulong id, CancellationToken cancellationToken) => ChangeAsync(() =>
    {
        if (!_etcd.TryGetValue(id, out Entry? entry) || !entry.IsLearner || !Serves(entry) || Lame.Contains("caught up " + At(entry.Address)!.Name))
        {
            return "can only promote a learner member which is in sync with leader";
        }

        _etcd[id] = entry with { IsLearner = false };
        return null;
    });

    public Task<string?> MoveLeaderAsync(IPAddress leader, ulong to, CancellationToken cancellationToken) => ChangeAsync(() =>
    {
        _leader = to;
        return null;
    });

    public Task<string?> RemoveAsync(ulong id, CancellationToken cancellationToken) => ChangeAsync(() =>
    {
        if (_etcd.Remove(id, out Entry? entry))
        {
            if (_holder is { } holder && At(entry.Address)?.Name == holder)
            {
                Broken.Add($"{holder} was taken out of etcd while it had the floating address");
            }

            if (_leader == id)
            {
                Broken.Add($"{entry.Address} was taken out of etcd while it led");
            }
        }

        return null;
    });

    public Task<string?> TellAsync(string name, CancellationToken cancellationToken) => ChangeAsync(() =>
    {
        _told.Add(name);
        return null;
    });

    public Task<string?> ForgetAsync(string name, CancellationToken cancellationToken) => ChangeAsync(() =>
    {
        _told.Remove(name);
        return null;
    });

    /// <summary>What happens by itself: members come to serve, one has the floating address, one leads. Then a look at what must never be.</summary>
    private void Settle()
    {
        foreach (Process member in Members)
        {
            member.Ready = member.Runs && Voter(member.Address) is not null && Majority && !_told.Contains(member.Name) && !Lame.Contains("serves " + member.Name);
        }

        if (_holder is null || !Members.Any(member => member.Name == _holder && member.Ready))
        {
            // Who is told to leave keeps the address until another can have it, as seen from the record.
            _holder = Members.FirstOrDefault(static member => member.Ready)?.Name ?? _holder;
        }

        if (!_etcd.TryGetValue(_leader, out Entry? leads) || !Serves(leads))
        {
            _leader = _etcd.Values.FirstOrDefault(entry => !entry.IsLearner && Serves(entry))?.Id ?? 0;
        }

        if (!Majority)
        {
            Broken.Add("etcd has no majority");
        }

        if (!Members.Any(static member => member.Ready))
        {
            Broken.Add("nobody serves the API");
        }

        Broken.AddRange(Members.Where(static member => member.Runs).GroupBy(static member => member.Address).Where(static group => group.Count() > 1).Select(static group => $"{group.Key} is with {string.Join(" and ", group.Select(static member => member.Name))}"));
        Broken.AddRange(_hosts.Values.Where(static host => host.Members.Values.Count(static member => member.Runs) > 1).Select(static host => $"two members run on {host.Name}"));
    }

    private Entry? Voter(IPAddress address) => _etcd.Values.FirstOrDefault(entry => entry.Address.Equals(address) && !entry.IsLearner);

    private Process? At(IPAddress address) => Members.FirstOrDefault(member => member.Runs && member.Address.Equals(address));

    private bool Serves(Entry entry) => At(entry.Address) is not null;

    private bool Majority => _etcd.Values.Count(entry => !entry.IsLearner && Serves(entry)) >= RolloutPlan.Majority(_etcd.Values.Count(static entry => !entry.IsLearner));

    private Task<string?> ChangeAsync(Func<string?> change)
    {
        string? result = null;
        Do(() => result = change());
        return Task.FromResult(result);
    }

    /// <summary>One call: whoever makes it may be killed before or after.</summary>
    private void Do(Action change)
    {
        Calls++;
        if (Calls == KillAt && !KillAfter)
        {
            throw new KilledException();
        }

        change();
        Settle();
        if (Calls == KillAt)
        {
            throw new KilledException();
        }
    }

    /// <summary>Thrown where the caller's process would end.</summary>
    internal sealed class KilledException : Exception;

    /// <summary>A member of etcd.</summary>
    internal sealed record Entry(ulong Id, IPAddress Address, bool IsLearner);

    /// <summary>A member on a host.</summary>
    internal sealed class Process(string name, IPAddress address)
    {
        public string Name { get; } = name;

        public IPAddress Address { get; } = address;

        public string Programs { get; set; } = "";

        public bool Runs { get; set; }

        public bool Ready { get; set; }
    }

    private sealed class ModelHost(ModelPlane plane, string name) : IMemberHost
    {
        private static readonly DateTimeOffset s_now = DateTimeOffset.UnixEpoch;

        public string Name { get; } = name;

        public Dictionary<string, Process> Members { get; } = new(StringComparer.Ordinal);

        public Task<AskedHost> AskAsync(HostQuestion question, CancellationToken cancellationToken) => Task.FromResult(new AskedHost(
            new HostFacts
            {
                HostName = Name, OwnNameAddresses = ["10.0.0.1"], Clock = s_now, ClockErrorSeconds = 0, Mtu = 1500, LinkUp = true, RpFilter = 0, Routes = [], LinkAddresses = [],
                Names = new Dictionary<string, string>(), Taken = new Dictionary<string, string>(), MissingPrograms = [], FreeBytes = 10L << 30,
                Versions = question.Versions.ToDictionary(static program => program, program => plane.Programs[Path.GetDirectoryName(program)!]),
            },
            s_now, s_now));

        public Task PutAsync(string path, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
        {
            plane.Do(() =>
            {
                if (path.EndsWith("member.yaml", StringComparison.Ordinal) && !Members.ContainsKey(path))
                {
                    string text = System.Text.Encoding.UTF8.GetString(bytes.Span);
                    string Line(string key) => text.Split('\n').Single(line => line.StartsWith(key + ":", StringComparison.Ordinal)).Split(' ')[1].Trim('"');
                    Members[path] = new Process(Line("name"), IPAddress.Parse(Line("address"))) { Programs = Line("programs") };
                }
            });
            return Task.CompletedTask;
        }

        public Task StartAsync(string settingsFile, CancellationToken cancellationToken)
        {
            plane.Do(() => Members[settingsFile].Runs = true);
            return Task.CompletedTask;
        }

        public Task StopAsync(string settingsFile, CancellationToken cancellationToken)
        {
            plane.Do(() =>
            {
                if (Members.TryGetValue(settingsFile, out Process? member))
                {
                    member.Runs = false;
                }
            });
            return Task.CompletedTask;
        }

        public Task RemoveAsync(string settingsFile, CancellationToken cancellationToken)
        {
            plane.Do(() =>
            {
                if (Members.Remove(settingsFile, out Process? member) && member.Runs)
                {
                    throw new InvalidOperationException($"{member.Name} runs");
                }
            });
            return Task.CompletedTask;
        }

        public Task<MemberState?> StateAsync(string settingsFile, CancellationToken cancellationToken)
        {
            plane.Settle();
            return Task.FromResult(Members.TryGetValue(settingsFile, out Process? member) && member.Runs
                ? new MemberState
                {
                    Name = member.Name, At = s_now, ProcessId = 1, Ready = member.Ready, Why = member.Ready ? "" : "not yet", HasFloatingAddress = plane._holder == member.Name, FloatingAddressHolder = plane._holder,
                    Etcd = new EtcdState(plane.Voter(member.Address) is not null && plane.Majority, false, "3.4.23", 1 << 20, "", []), Programs = [], CertificatesEnd = s_now, ProgramsFolder = member.Programs,
                    KubernetesVersion = member.Ready ? plane.Programs[member.Programs] : "",
                }
                : null);
        }
    }
}
