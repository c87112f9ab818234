using System.Diagnostics;
using System.Globalization;
using System.Text;
using Vks.Supervisor.ControlPlane;
using Vks.Supervisor.Pki;

namespace Vks.Tests.Kit;

/// <summary>Members of one control plane on test hosts: upstream's etcd and Kubernetes, run by <c>supervisor member run</c> as a person would.</summary>
internal sealed class ControlPlaneLab : IAsyncDisposable
{
    private static readonly TimeSpan s_start = TimeSpan.FromSeconds(180);

    private readonly Dictionary<int, SupervisorProcess> _running = [];
    private readonly string _programs;

    private ControlPlaneLab(TestHosts hosts, string programs, int count)
    {
        Hosts = hosts;
        _programs = programs;
        Count = count;
        Directory = $"/tmp/vks-test-{hosts.Name}";
    }

    /// <summary>The hosts; member N is on host N.</summary>
    public TestHosts Hosts { get; }

    /// <summary>How many members there are.</summary>
    public int Count { get; }

    /// <summary>All files.</summary>
    public string Directory { get; }

    /// <summary>The floating address.</summary>
    public string Floating => Hosts.Subnet + ".20";

    /// <summary>Members' numbers.</summary>
    public IEnumerable<int> Numbers => Enumerable.Range(1, Count);

    /// <summary>How far a member's clock is from the true time, where it is.</summary>
    public Dictionary<int, TimeSpan> Skews { get; } = [];

    /// <summary>Makes hosts, certificates and settings; nothing runs.</summary>
    /// <param name="count">How many members.</param>
    /// <param name="more">More lines of every member's settings.</param>
    public static async Task<ControlPlaneLab> CreateAsync(int count, string more = "")
    {
        string programs = await KubernetesPrograms.FolderAsync();
        ControlPlaneLab lab = new(await TestHosts.CreateAsync(count), programs, count);

        // Two days old, as a control plane mostly is when something befalls it.
        AuthorityFiles.Ensure(Path.Combine(lab.Directory, "pki"), lab.Hosts.Name, TimeProvider.System.GetUtcNow() - TimeSpan.FromDays(2));
        foreach (int number in lab.Numbers)
        {
            lab.WriteSettings(number, more);
        }

        return lab;
    }

    /// <summary>As <see cref="CreateAsync"/> and <see cref="StartAllAsync"/>.</summary>
    public static async Task<ControlPlaneLab> StartAsync(int count, string more = "")
    {
        ControlPlaneLab lab = await CreateAsync(count, more);
        try
        {
            await lab.StartAllAsync();
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts all members, and waits until all serve the API and one has the floating address. Disposing of what it gives ends the members' processes.</summary>
    public async Task<IAsyncDisposable> StartAllAsync()
    {
        Processes processes = new(this);
        try
        {
            foreach (int number in Numbers)
            {
                Launch(number);
            }

            foreach (int number in Numbers)
            {
                await ReadyAsync(number);
            }

            await UntilAsync(() => Holder() is not null, TimeSpan.FromSeconds(20), "a member has the floating address");
            return processes;
        }
        catch
        {
            await processes.DisposeAsync();
            throw;
        }
    }

    /// <summary>The folder of a member.</summary>
    public string Folder(int number) => Path.Combine(Directory, string.Create(CultureInfo.InvariantCulture, $"m{number}"));

    /// <summary>The settings file of a member.</summary>
    public string SettingsFile(int number) => Folder(number) + ".yaml";

    /// <summary>A member's own address.</summary>
    public string Address(int number) => string.Create(CultureInfo.InvariantCulture, $"{Hosts.Subnet}.{10 + number}");

    /// <summary>The process of a member that was started.</summary>
    public SupervisorProcess Process(int number) => _running[number];

    /// <summary>What a member says of itself, if it has said so in the last seconds.</summary>
    public MemberState? State(int number)
    {
        MemberState? state = MemberState.Read(Path.Combine(Folder(number), "run", "state.json"));

        // Not what an earlier run has said.
        return state is not null && _running.TryGetValue(number, out SupervisorProcess? process) && state.ProcessId == process.Pid
            && (TimeProvider.System.GetUtcNow() + Skews.GetValueOrDefault(number) - state.At).Duration() < TimeSpan.FromSeconds(3)
            ? state
            : null;
    }

    /// <summary>The member that says it has the floating address; null when none or more than one does.</summary>
    public int? Holder()
    {
        int[] holders = [.. Numbers.Where(number => State(number)?.HasFloatingAddress == true)];
        return holders.Length == 1 ? holders[0] : null;
    }

    /// <summary>Starts a member.</summary>
    public void Launch(int number) => _running[number] = SupervisorProcess.Start(Hosts.Host(number), "member", "run", "--config", SettingsFile(number));

    /// <summary>Waits until a member serves the API.</summary>
    public Task ReadyAsync(int number) => UntilAsync(() => State(number)?.Ready == true && !Process(number).HasEnded, s_start, $"member {number} serves the API");

    /// <summary>Waits for something, and tells all logs when it does not come.</summary>
    public async Task UntilAsync(Func<bool> condition, TimeSpan limit, string what)
    {
        long begin = Stopwatch.GetTimestamp();
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(begin) > limit)
            {
                Assert.Fail($"Not within {limit.TotalSeconds:0} s: {what}\n{Logs()}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), TestContext.Current.CancellationToken);
        }
    }

    /// <summary>A person with all rights.</summary>
    /// <param name="address">The member's address, or the floating one.</param>
    /// <param name="timeout">How long one answer is waited for.</param>
    /// <param name="space">The namespace in which the person is; null for the fabric's.</param>
    public HttpClient Client(string address, TimeSpan timeout, string? space = null)
    {
        SocketsHttpHandler handler = MutualTls.Client(Path.Combine(Directory, "pki", "ca.crt"), Path.Combine(Folder(1), "pki", MemberCertificates.Admin));
        handler.ConnectCallback = (context, cancellationToken) => TestHosts.ConnectFromAsync(space ?? Hosts.Fabric, context, cancellationToken);
        handler.ConnectTimeout = timeout;
        return new HttpClient(handler) { BaseAddress = new Uri($"https://{address}:{MemberSettings.ApiPort}"), Timeout = timeout };
    }

    /// <summary>The end of every log, shortly.</summary>
    public string Logs() => Logs(5);

    /// <summary>The end of every log.</summary>
    /// <param name="lines">Lines of each; four times as many of a member's own.</param>
    public string Logs(int lines)
    {
        StringBuilder text = new();
        foreach ((int number, SupervisorProcess process) in _running)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"---- member {number}{(process.HasEnded ? " (ended)" : "")}: {State(number)?.Why}").AppendJoin('\n', process.Log.Split('\n').TakeLast(4 * lines)).AppendLine();
            string folder = Path.Combine(Folder(number), "log");
            foreach (string log in System.IO.Directory.Exists(folder) ? System.IO.Directory.GetFiles(folder, "*.log").Where(static file => !file.EndsWith("audit.log", StringComparison.Ordinal)) : [])
            {
                text.AppendLine(CultureInfo.InvariantCulture, $"---- {log}").AppendLine(new LogFile(log).Tail(lines));
            }
        }

        return text.ToString();
    }

    public async ValueTask DisposeAsync()
    {
        await EndAllAsync();
        IReadOnlyList<string> left = Left();
        await Hosts.DisposeAsync();
        System.IO.Directory.Delete(Directory, recursive: true);
        Assert.Empty(left);
    }

    /// <summary>Ends all members, as an accident would.</summary>
    public async Task EndAllAsync()
    {
        foreach (SupervisorProcess process in _running.Values)
        {
            await process.DisposeAsync();
        }

        // What a member started ends with it, but not within the same instant.
        long begin = Stopwatch.GetTimestamp();
        while (Left().Count > 0 && Stopwatch.GetElapsedTime(begin) < TimeSpan.FromSeconds(10))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50));
        }
    }

    /// <summary>Processes of this lab that still run.</summary>
    public IReadOnlyList<string> Left()
    {
        List<string> found = [];
        foreach (string folder in System.IO.Directory.GetDirectories("/proc").Where(static folder => char.IsAsciiDigit(Path.GetFileName(folder)[0])))
        {
            try
            {
                string line = File.ReadAllText(folder + "/cmdline").Replace('\0', ' ');
                if (line.Contains(Directory, StringComparison.Ordinal))
                {
                    found.Add($"{Path.GetFileName(folder)} {line[..Math.Min(line.Length, 80)]}");
                }
            }
            catch (IOException)
            {
                // It ended while we looked.
            }
        }

        return found;
    }

    private void WriteSettings(int number, string more)
    {
        string pki = Path.Combine(Folder(number), "pki");
        System.IO.Directory.CreateDirectory(pki);
        foreach (string file in AuthorityFiles.All)
        {
            File.Copy(Path.Combine(Directory, "pki", file), Path.Combine(pki, file));
        }

        File.WriteAllText(SettingsFile(number), $"""
            cluster: {Hosts.Name}
            name: m{number}
            directory: {Folder(number)}
            programs: {_programs}
            size: tiny
            link: {TestHosts.Link}
            prefix: 24
            address: {Address(number)}
            floatingAddress: {Floating}
            members:
            {string.Join('\n', Numbers.Select(other => $"- {{ name: m{other}, address: {Address(other)} }}"))}
            {more}
            """);
    }

    private sealed class Processes(ControlPlaneLab lab) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await lab.EndAllAsync();
    }
}
