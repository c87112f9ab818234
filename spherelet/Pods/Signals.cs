using System.Globalization;

namespace Vks.Spherelet.Pods;

/// <summary>Signals by name and number, as signal(7) has them on x86-64.</summary>
internal static class Signals
{
    /// <summary>SIGKILL.</summary>
    public const int Kill = 9;

    /// <summary>SIGTERM.</summary>
    public const int Terminate = 15;

    private const int RealTimeMin = 34;
    private const int RealTimeMax = 64;

    private static readonly Dictionary<string, int> Numbers = new(StringComparer.OrdinalIgnoreCase)
    {
        ["HUP"] = 1, ["INT"] = 2, ["QUIT"] = 3, ["ILL"] = 4, ["TRAP"] = 5, ["ABRT"] = 6, ["IOT"] = 6, ["BUS"] = 7, ["FPE"] = 8,
        ["KILL"] = 9, ["USR1"] = 10, ["SEGV"] = 11, ["USR2"] = 12, ["PIPE"] = 13, ["ALRM"] = 14, ["TERM"] = 15, ["STKFLT"] = 16,
        ["CHLD"] = 17, ["CLD"] = 17, ["CONT"] = 18, ["STOP"] = 19, ["TSTP"] = 20, ["TTIN"] = 21, ["TTOU"] = 22, ["URG"] = 23,
        ["XCPU"] = 24, ["XFSZ"] = 25, ["VTALRM"] = 26, ["PROF"] = 27, ["WINCH"] = 28, ["IO"] = 29, ["POLL"] = 29, ["PWR"] = 30, ["SYS"] = 31,
    };

    /// <summary>Reads <c>SIGTERM</c>, <c>TERM</c>, <c>15</c>, <c>SIGRTMIN+3</c>; false for anything else.</summary>
    public static bool TryParse(string text, out int signal)
    {
        string name = text.StartsWith("SIG", StringComparison.OrdinalIgnoreCase) ? text[3..] : text;
        if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out signal) || Numbers.TryGetValue(name, out signal))
        {
            return signal is >= 1 and <= RealTimeMax;
        }

        return TryParseRealTime(name, "RTMIN", RealTimeMin, +1, out signal) || TryParseRealTime(name, "RTMAX", RealTimeMax, -1, out signal);
    }

    private static bool TryParseRealTime(string name, string start, int origin, int direction, out int signal)
    {
        signal = origin;
        if (!name.StartsWith(start, StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        ReadOnlySpan<char> rest = name.AsSpan(start.Length).TrimStart(direction > 0 ? '+' : '-');
        if (rest.IsEmpty)
        {
            return name.Length == start.Length;
        }

        bool read = int.TryParse(rest, NumberStyles.None, CultureInfo.InvariantCulture, out int offset);
        signal = origin + (direction * offset);
        return read && signal is >= RealTimeMin and <= RealTimeMax;
    }
}
