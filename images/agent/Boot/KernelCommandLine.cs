namespace Vks.Agent.Boot;

/// <summary>The <c>vks.*</c> words of the kernel command line; unknown ones are ignored, so that an older agent boots under a newer engine.</summary>
/// <param name="UseVsock"><c>vks.channel=vsock</c>: the host comes by AF_VSOCK instead of the virtio-serial port.</param>
/// <param name="Verbose"><c>vks.log=debug</c>: every call is written to the console.</param>
internal sealed record KernelCommandLine(bool UseVsock, bool Verbose)
{
    /// <summary>Reads the words of /proc/cmdline.</summary>
    internal static KernelCommandLine Parse(string line)
    {
        var useVsock = false;
        var verbose = false;
        foreach (string word in line.Split([' ', '\n', '\t'], StringSplitOptions.RemoveEmptyEntries))
        {
            switch (word)
            {
                case "vks.channel=vsock":
                    useVsock = true;
                    break;
                case "vks.channel=serial":
                    useVsock = false;
                    break;
                case "vks.log=debug":
                    verbose = true;
                    break;
                default:
                    break;
            }
        }

        return new KernelCommandLine(useVsock, verbose);
    }
}
