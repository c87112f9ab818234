using Vks.Supervisor.FloatingAddress;

namespace Vks.Tests.Supervisor.FloatingAddress;

/// <summary>
/// Members, their kernels and etcd as a model in which all that can go wrong does: messages are lost or late, also after the sender has given
/// up on them; processes stand still anywhere for up to a minute; clocks begin anywhere and run fast or slow; kernels take an address away late.
/// </summary>
internal sealed class AddressModel
{
    private readonly Random _random;
    private readonly PriorityQueue<Action, (double At, long Order)> _events = new();
    private readonly Node[] _nodes;
    private readonly bool _calm;
    private readonly bool _sickly;
    private long _order;
    private double _now;
    private long _revision;
    private (long Revision, AddressRecord? Record) _store;

    /// <param name="seed">Decides everything.</param>
    /// <param name="members">How many members.</param>
    /// <param name="calm">Nothing goes wrong but what a test does.</param>
    /// <param name="sickly">Also when calm, API servers cease to be ready now and then, and come back.</param>
    /// <param name="grows">Only the first has a vote in etcd at the beginning; votes come and go, and what members know of them is late.</param>
    public AddressModel(int seed, int members, bool calm = false, bool sickly = false, bool grows = false)
    {
        _random = new Random(seed);
        _calm = calm;
        _sickly = sickly || !calm;
        _nodes = [.. Enumerable.Range(0, members).Select(index => new Node($"m{index}")
        {
            Offset = _random.NextDouble() * 1e6,
            Rate = 1 + ((_random.NextDouble() - 0.5) * 0.002),
        })];
        foreach (Node node in _nodes)
        {
            node.Votes = !grows || node == _nodes[0];
            Resume(LoopAsync(node).GetEnumerator());
            Resume(LookAtVotesAsync(node).GetEnumerator());
        }

        if (grows)
        {
            Resume(ChangeVotesAsync().GetEnumerator());
        }
    }

    /// <summary>Each time that two members had the address at once.</summary>
    public List<string> Doubles { get; } = [];

    /// <summary>How often the address came to a member that did not have it.</summary>
    public int Moves { get; private set; }

    /// <summary>The longest time that nobody had the address, since the first had it.</summary>
    public double LongestWithout { get; private set; }

    /// <summary>Ends the program of whoever has the address, at once.</summary>
    public void KillHolder() => _nodes.Single(node => node.Until > _now).Dead = true;

    /// <summary>Lets time pass.</summary>
    /// <param name="seconds">How much.</param>
    public void Run(double seconds)
    {
        double end = _now + seconds;
        while (_events.TryPeek(out Action? action, out (double At, long Order) key) && key.At <= end)
        {
            _events.Dequeue();
            if (!_nodes.Any(node => node.Until > _now))
            {
                LongestWithout = Math.Max(LongestWithout, Moves > 0 ? key.At - Math.Max(0, _nodes.Max(static node => node.Until)) : 0);
            }

            _now = key.At;
            action();
        }

        _now = end;
    }

    private void Resume(IEnumerator<double> steps)
    {
        if (steps.MoveNext())
        {
            At(_now + steps.Current, () => Resume(steps));
        }
    }

    private void At(double when, Action action) => _events.Enqueue(action, (when, _order++));

    private IEnumerable<double> LoopAsync(Node node)
    {
        while (!node.Dead)
        {
            yield return Pause();
            node.Healthy = !_sickly || (_random.Next(100) == 0 ? !node.Healthy : node.Healthy);
            bool fit = HolderRule.MayHold(node.Healthy, node.IsOnlyVoter);
            if (!fit)
            {
                node.Until = Math.Min(node.Until, _now);
            }

            switch (node.Claim.Next(Local(node), fit))
            {
                case ClaimStep.Write write:
                    foreach (double wait in Write(node, write.Revision, write.Record, hold: true))
                    {
                        yield return wait;
                    }

                    break;
                case ClaimStep.GiveUp giveUp:
                    node.Until = Math.Min(node.Until, _now);
                    foreach (double wait in Write(node, giveUp.Revision, giveUp.Record, hold: false))
                    {
                        yield return wait;
                    }

                    break;
                default:
                    yield return Delay();
                    (long revision, AddressRecord? record) = _store;
                    yield return Delay();
                    if (Lost() || !node.Votes)
                    {
                        node.Claim.Forget();
                    }
                    else
                    {
                        node.Claim.Seen(revision, record, Local(node));
                    }

                    break;
            }

            yield return node.Claim.Pause(Local(node)).TotalSeconds / node.Rate;
        }
    }

    /// <summary>What its probe of etcd tells it, each second and later.</summary>
    private IEnumerable<double> LookAtVotesAsync(Node node)
    {
        while (!node.Dead)
        {
            bool isOnlyVoter = node.Votes && _nodes.Count(static other => other.Votes) == 1;
            yield return Delay() + Pause();
            node.IsOnlyVoter = isOnlyVoter;
            yield return 1 + Pause();
        }
    }

    /// <summary>One has a vote always.</summary>
    private IEnumerable<double> ChangeVotesAsync()
    {
        while (true)
        {
            yield return _random.NextDouble() * 60;
            Node node = _nodes[_random.Next(_nodes.Length)];
            node.Votes = !node.Votes || _nodes.Count(static other => other.Votes) == 1;
        }
    }

    private IEnumerable<double> Write(Node node, long expected, AddressRecord record, bool hold)
    {
        TimeSpan sent = Local(node);
        yield return Pause();
        long? written = null;
        bool answered = false;
        double there = Delay();
        if (!Lost() && node.Votes)
        {
            // It happens when it arrives, whether or not anybody waits for it still.
            At(_now + there, () =>
            {
                if (_store.Revision == expected)
                {
                    _store = (++_revision, record);
                    written = _revision;
                }

                answered = true;
            });
        }

        double back = Math.Min(there + Delay(), ClaimTiming.Answer.TotalSeconds);
        yield return back;
        if (!answered || Lost())
        {
            node.Claim.Forget();
            yield break;
        }

        if (written is not { } revision)
        {
            node.Until = Math.Min(node.Until, _now);
            node.Claim.Forget();
            yield break;
        }

        node.Claim.Written(revision, record, Local(node));
        if (!hold)
        {
            yield break;
        }

        // As hold-address.pl does: the alarm, the clock, the kernel; and whoever is late by more than the alarm does not get there.
        yield return Pause();
        double alarm = _now + 1;
        yield return Pause();
        double seconds = Math.Floor((sent + ClaimTiming.Hold - Local(node)).TotalSeconds - 1);
        yield return Pause();
        if (seconds < 1 || _now > alarm)
        {
            yield break;
        }

        Put(node, _now + (seconds / node.Rate) + (_calm ? 0.5 : _random.NextDouble() * 1.25));
    }

    private void Put(Node node, double until)
    {
        foreach (Node other in _nodes.Where(other => other != node && other.Until > _now))
        {
            Doubles.Add($"at {_now:0.000} on {node.Name} while on {other.Name} until {other.Until:0.000}");
        }

        Moves += node.Until > _now ? 0 : 1;
        node.Until = until;
    }

    private TimeSpan Local(Node node) => TimeSpan.FromSeconds(node.Offset + (_now * node.Rate));

    private bool Lost() => !_calm && _random.Next(20) == 0;

    private double Delay() => _calm ? 0.005 : Often(0.01, 0.3, 20);

    private double Pause() => _calm ? 0.01 : Often(0.005, 2, 60);

    /// <summary>Mostly short, at times long, seldom very long.</summary>
    private double Often(double usual, double seldom, double rare) => _random.NextDouble() * (_random.Next(200) switch { 0 => rare, < 10 => seldom, _ => usual });

    private sealed class Node(string name)
    {
        public string Name { get; } = name;

        public AddressClaim Claim { get; } = new(name, name + "-run");

        public double Offset { get; init; }

        public double Rate { get; init; }

        public bool Healthy { get; set; } = true;

        /// <summary>It has a vote in etcd.</summary>
        public bool Votes { get; set; }

        /// <summary>It believes that nobody else has.</summary>
        public bool IsOnlyVoter { get; set; }

        public bool Dead { get; set; }

        /// <summary>The address is on the link until then.</summary>
        public double Until { get; set; }
    }
}
