using System.Globalization;
using Spectre.Console;
using Vks.Bench.Arms;
using Vks.Bench.Host;
using Vks.Bench.Report;
using Vks.Bench.Results;
using Vks.Bench.Sections;

namespace Vks.Bench;

/// <summary>One run: starts the arms, goes through the sections, judges, reports, and leaves nothing running.</summary>
internal sealed class BenchRun(BenchSettings settings)
{
    /// <summary>Pods of each arm before anything is timed: caches, templates and the accelerator's probe are warm then.</summary>
    private const int WarmUpPods = 2;

    /// <summary>Pods after which no template is waited for any more.</summary>
    private const int MostWarmUpPods = 30;

    /// <summary>Runs it; the exit code.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        DateTimeOffset begun = TimeProvider.System.GetUtcNow();
        ISection[] sections = Sections();
        SphereletFiles files = new(settings.Spherelet, settings.GuestDirectory);
        foreach (string needed in new[] { files.Program, files.Kernel, files.Initramfs, Path.Combine(settings.DemoLayout, "index.json") }.Where(static path => !File.Exists(path)))
        {
            throw new BenchException($"{needed} is missing. Run the benchmark by ./vks bench, which builds it.");
        }

        SampleRecorder recorder = new();
        string directory = Directory.CreateTempSubdirectory("vks-bench-").FullName;
        try
        {
            MachineDescription machine;
            Dictionary<string, string> arms;
            AnsiConsole.MarkupLine("[grey]starting registry and container runtimes[/]");
            await using (ArmSet set = await ArmSet.StartAsync(directory, settings, files, cancellationToken))
            {
                machine = await DescribeAsync(set.IsKvm, cancellationToken);
                arms = set.Arms.ToDictionary(static arm => arm.Name, static arm => arm.Title, StringComparer.Ordinal);
                await WarmUpAsync(set, recorder, cancellationToken);
                await AnsiConsole.Progress()
                    .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn())
                    .StartAsync(progress => MeasureAsync(progress, sections, set, files, directory, recorder, cancellationToken));
            }

            BenchResult result = Judge(begun, machine, arms, recorder);
            await ReportAsync(result, cancellationToken);
            return result.Succeeded ? 0 : 1;
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private ISection[] Sections()
    {
        string[] unknown = [.. settings.Sections.Except(BenchSections.All.Select(static section => section.Name))];
        return unknown.Length > 0
            ? throw new BenchException($"There is no section {string.Join(", ", unknown)}; there are {string.Join(", ", BenchSections.All.Select(static section => section.Name))}.")
            : [.. BenchSections.All.Where(section => settings.Sections.Count == 0 ? !section.IsOnRequest : settings.Sections.Contains(section.Name))];
    }

    private static async Task WarmUpAsync(ArmSet set, SampleRecorder recorder, CancellationToken cancellationToken)
    {
        foreach (Arm arm in set.Arms)
        {
            if (arm is SphereletArm { HasPool: true } pool)
            {
                await pool.WaitForPoolAsync(cancellationToken);
            }

            bool warm = false;
            for (int count = 0; count < WarmUpPods || (!warm && count < MostWarmUpPods); count++)
            {
                try
                {
                    await using BenchPod pod = new(arm, set.Registry.Image);
                    await pod.StartWholeAsync(cancellationToken);
                    await pod.ExecAsync(["true"], cancellationToken);
                    warm = (await pod.ReadMachineAsync(cancellationToken)).IsAsNamed(arm.Name);
                }
                catch (Exception problem) when (problem is Grpc.Core.RpcException or TimeoutException && !cancellationToken.IsCancellationRequested)
                {
                    // Whoever cannot start a pod at all will say so in every section; one that hangs on a busy host may still do the rest.
                    recorder.Fail("warm-up", arm.Name, problem.Message);
                }
            }
        }
    }

    private async Task MeasureAsync(
        ProgressContext progress, ISection[] sections, ArmSet set, SphereletFiles files, string directory, SampleRecorder recorder, CancellationToken cancellationToken)
    {
        BenchContext context = new()
        {
            Plan = settings.Plan,
            Arms = set.Arms,
            Registry = set.Registry,
            Files = files,
            StockKernel = settings.StockKernel,
            LabScript = settings.LabScript,
            IsKvm = set.IsKvm,
            Directory = directory,
            Recorder = recorder,
            Step = static () => { },
        };
        List<(ISection Section, ProgressTask Bar)> bars = [.. sections.Select(section => (section, progress.AddTask(section.Title, autoStart: false, maxValue: Math.Max(1, section.CountSteps(context)))))];
        foreach ((ISection section, ProgressTask bar) in bars)
        {
            bar.StartTask();
            try
            {
                await section.RunAsync(context with { Step = () => bar.Increment(1) }, cancellationToken);
            }
            catch (Exception problem) when (problem is BenchException or Grpc.Core.RpcException or TimeoutException && !cancellationToken.IsCancellationRequested)
            {
                recorder.Fail(section.Name, "", problem.Message);
            }

            bar.Value = bar.MaxValue;
            bar.StopTask();
        }
    }

    private BenchResult Judge(DateTimeOffset begun, MachineDescription machine, Dictionary<string, string> arms, SampleRecorder recorder)
    {
        IReadOnlyList<Series> series = recorder.Series;
        return new BenchResult
        {
            Version = BenchResult.CurrentVersion,
            Begun = begun,
            DurationSeconds = Math.Round((TimeProvider.System.GetUtcNow() - begun).TotalSeconds, 1),
            Plan = settings.Plan,
            Machine = machine,
            Arms = arms,
            Gates = Gates.Judge(series, settings.Plan),
            Summary = [.. series.Select(SummaryRow.Of)],
            Predictions = machine.Accelerator == "kvm" ? [] : Prediction.ForKvm,
            Failures = recorder.Failures,
            Series = series,
        };
    }

    private async Task ReportAsync(BenchResult result, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(settings.OutputDirectory);
        await result.WriteAsync(Path.Combine(settings.OutputDirectory, "bench.json"), cancellationToken);
        string report = Path.Combine(settings.OutputDirectory, "report.html");
        await HtmlReport.WriteAsync(result, report, cancellationToken);
        TerminalReport.Write(AnsiConsole.Console, result);
        AnsiConsole.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{report}, {Path.Combine(settings.OutputDirectory, "bench.json")}; {result.DurationSeconds:F0} s"));
    }

    private Task<MachineDescription> DescribeAsync(bool isKvm, CancellationToken cancellationToken) => MachineDescription.ReadAsync(
        isKvm ? "kvm" : "tcg",
        new Dictionary<string, string[]>
        {
            ["spherelet"] = [settings.Spherelet, "version"],
            ["QEMU"] = ["qemu-system-x86_64", "--version"],
            ["containerd"] = ["containerd", "--version"],
            ["runc"] = ["runc", "--version"],
            ["stock kernel"] = ["basename", settings.StockKernel ?? "none"],
        },
        cancellationToken);
}
