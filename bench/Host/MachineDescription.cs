using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Serialization;
using CliWrap;
using CliWrap.Buffered;

namespace Vks.Bench.Host;

/// <summary>The machine the numbers are from.</summary>
internal sealed record MachineDescription
{
    /// <summary>Model of the processor.</summary>
    public required string Cpu { get; init; }

    /// <summary>Processors this process may use.</summary>
    public required int Processors { get; init; }

    /// <summary>Memory, MiB.</summary>
    public required double MemoryMiB { get; init; }

    /// <summary>Release of the host's kernel.</summary>
    public required string Kernel { get; init; }

    /// <summary>The distribution.</summary>
    public required string System { get; init; }

    /// <summary>Load averages when the run began.</summary>
    public required string Load { get; init; }

    /// <summary>Whether more wanted to run then than there are processors, in the last minute.</summary>
    [JsonIgnore]
    public bool IsBusy => double.TryParse(Load.Split(' ')[0], CultureInfo.InvariantCulture, out double minute) && minute > Processors;

    /// <summary>What runs the guests: <c>kvm</c> or <c>tcg</c>.</summary>
    public required string Accelerator { get; init; }

    /// <summary>Version of each part, by its name.</summary>
    public required IReadOnlyDictionary<string, string> Versions { get; init; }

    /// <summary>Reads it.</summary>
    /// <param name="accelerator"><c>kvm</c> or <c>tcg</c>.</param>
    /// <param name="programs">Program and argument that prints its version, by the part's name.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public static async Task<MachineDescription> ReadAsync(string accelerator, IReadOnlyDictionary<string, string[]> programs, CancellationToken cancellationToken)
    {
        Dictionary<string, string> versions = new(StringComparer.Ordinal) { [".NET"] = RuntimeInformation.FrameworkDescription };
        foreach ((string part, string[] command) in programs)
        {
            versions[part] = await VersionAsync(command, cancellationToken);
        }

        return new MachineDescription
        {
            Cpu = Value("/proc/cpuinfo", "model name", ':'),
            Processors = Environment.ProcessorCount,
            MemoryMiB = Math.Round(Memory.ParseKiB(await File.ReadAllTextAsync("/proc/meminfo", cancellationToken), "MemTotal:") / 1024),
            Kernel = (await File.ReadAllTextAsync("/proc/sys/kernel/osrelease", cancellationToken)).Trim(),
            System = Value("/etc/os-release", "PRETTY_NAME", '=').Trim('"'),
            Load = string.Join(' ', (await File.ReadAllTextAsync("/proc/loadavg", cancellationToken)).Split(' ').Take(3)),
            Accelerator = accelerator,
            Versions = versions,
        };
    }

    private static async Task<string> VersionAsync(string[] command, CancellationToken cancellationToken)
    {
        try
        {
            BufferedCommandResult result = await Cli.Wrap(command[0]).WithArguments(command[1..]).WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(cancellationToken);
            return result.StandardOutput.Split('\n')[0].Trim();
        }
        catch (Exception missing) when (missing is not OperationCanceledException)
        {
            return string.Create(CultureInfo.InvariantCulture, $"not found ({missing.GetType().Name})");
        }
    }

    private static string Value(string file, string name, char separator) =>
        !File.Exists(file) ? "unknown" : File.ReadLines(file).FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal))?.Split(separator, 2)[^1].Trim() ?? "unknown";
}
