namespace Vks.Agent.Boot;

/// <summary>The <c>vks.*</c> words of the kernel command line, save <see cref="Host.ChannelTransport.VsockArgument"/>; unknown ones are ignored, so that an older agent boots under a newer engine.</summary>
/// <param name="Verbose"><c>vks.log=debug</c>: every call is written to the console.</param>
internal sealed record KernelCommandLine(bool Verbose)
{
    /// <summary>Reads the words of /proc/cmdline.</summary>
    internal static KernelCommandLine Parse(string line)
    {
        var verbose = false;
        foreach (string word in line.Split([' ', '\n', '\t'], StringSplitOptions.RemoveEmptyEntries))
        {
            switch (word)
            {
                case "vks.log=debug":
                    verbose = true;
                    break;
                default:
                    break;
            }
        }

        return new KernelCommandLine(verbose);
    }
}
