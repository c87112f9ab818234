using System.Reflection;

namespace Vks.Supervisor;

/// <summary>The Supervisor's program. It answers for its version; each part of the control plane brings its own verb.</summary>
internal static class Program
{
    /// <summary>The caller asked for something there is not.</summary>
    private const int UsageFault = 2;

    private static int Main(string[] args) => Run(args, Console.Out, Console.Error);

    /// <summary>Runs one command line.</summary>
    /// <param name="args">Verb or flag.</param>
    /// <param name="output">For answers.</param>
    /// <param name="error">For complaints.</param>
    internal static int Run(IReadOnlyList<string> args, TextWriter output, TextWriter error)
    {
        switch (args)
        {
            case ["--version"] or ["version"]:
                output.WriteLine($"supervisor {Version}");
                return 0;
            case ["--help"] or ["-h"] or ["help"]:
                output.WriteLine(Usage);
                return 0;
            case []:
                error.WriteLine(Usage);
                return UsageFault;
            default:
                error.WriteLine($"supervisor: '{args[0]}' is no verb of this version.");
                error.WriteLine(Usage);
                return UsageFault;
        }
    }

    private const string Usage = """
        usage: supervisor VERB

          version, --version   print the version
          help, --help         print this page

        The control plane of pods as microVMs. Pods themselves are run by the Spherelet, which needs no Supervisor.
        """;

    private static string Version =>
        typeof(Program).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";
}
