using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

/// <summary>Signals, whose CRI numbers are those of an alphabet and not of a kernel. Both ways, by name.</summary>
internal static class SignalConversion
{
    private static readonly Dictionary<V1.Signal, int> Numbers =
        Enum.GetValues<V1.Signal>().Where(signal => signal != V1.Signal.RuntimeDefault).ToDictionary(signal => signal, Number);

    /// <summary>The kernel's number, or 0 for the runtime's default.</summary>
    public static int Read(V1.Signal signal) => Numbers.GetValueOrDefault(signal);

    /// <summary>The CRI signal of that number; of two names for one number the one of signal(7)'s standard table.</summary>
    public static V1.Signal Write(int number) => number switch
    {
        6 => V1.Signal.Sigabrt,
        17 => V1.Signal.Sigchld,
        29 => V1.Signal.Sigio,
        _ => Numbers.FirstOrDefault(pair => pair.Value == number).Key,
    };

    /// <summary>SIGRTMINPLUS3 is SIGRTMIN+3 in signal(7).</summary>
    private static int Number(V1.Signal signal)
    {
        string name = signal.ToString().ToUpperInvariant()
            .Replace("RTMINPLUS", "RTMIN+", StringComparison.Ordinal)
            .Replace("RTMAXMINUS", "RTMAX-", StringComparison.Ordinal);
        return Signals.TryParse(name, out int number) ? number : 0;
    }
}
