using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

/// <summary>What a request for streams must keep to.</summary>
internal static class StreamingRules
{
    /// <summary>At least one stream; a terminal has no standard error of its own.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>.</exception>
    public static void Check(string containerId, bool stdin, bool stdout, bool stderr, bool tty)
    {
        if (!stdin && !stdout && !stderr)
        {
            throw new PodException(PodFault.InvalidConfig, containerId, "None of stdin, stdout and stderr is set; ask for at least one.");
        }

        if (tty && stderr)
        {
            throw new PodException(PodFault.InvalidConfig, containerId, "tty and stderr are both set; a terminal has one output, ask for stdout alone.");
        }
    }
}
