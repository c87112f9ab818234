using System.CommandLine;
using System.Runtime.InteropServices;
using Vks.Bench.Sections;

namespace Vks.Bench;

/// <summary>The flags.</summary>
internal static class CommandLine
{
    /// <summary>The whole command line.</summary>
    public static RootCommand Build()
    {
        Option<bool> quick = new("--quick") { Description = "A smoke run of under three minutes: few samples, no gates on time and memory" };
        Option<int?> samples = new("--samples") { Description = "So many boots, pods, pulls and cycles instead of the run's own numbers" };
        Option<string[]> sections = new("--sections") { Description = $"Only these parts: {string.Join(", ", BenchSections.All.Select(static section => section.Name))}", AllowMultipleArgumentsPerToken = true };
        Option<string[]> arms = new("--arms") { Description = "Only these container runtimes: cold, clone, pool, before, containerd", AllowMultipleArgumentsPerToken = true };
        Option<string> output = new("--output") { Description = "Folder for bench.json, report.html and the charts", DefaultValueFactory = static _ => "artifacts/bench" };
        Option<string> spherelet = new("--spherelet") { Description = "The daemon's program", Required = true };
        Option<string> guest = new("--guest-directory") { Description = "Kernel and initial file system of guests", Required = true };
        Option<string> demo = new("--demo-layout") { Description = "OCI layout of the demo image", Required = true };
        Option<string> stock = new("--stock-kernel") { Description = "Debian's vmlinuz, for the comparison of boots" };
        Option<string> lab = new("--lab") { Description = "The lab's script, for the section node" };
        Option<string> before = new("--before") { Description = "Folder with another build (spherelet, guest) to be measured in turn with this one" };
        Option<string> accelerator = new("--accelerator") { Description = "kvm or tcg [what the daemon finds]" };
        RootCommand root = new("Measures pods as microVMs against containers and stock kernels on this machine; see bench/README.md")
        {
            quick, samples, sections, arms, output, spherelet, guest, demo, stock, before, lab, accelerator,
        };
        root.SetAction((parsed, token) => InterruptibleAsync(
            inner => new BenchRun(new BenchSettings
            {
                Plan = Plan(parsed.GetValue(quick), parsed.GetValue(samples), parsed.GetValue(sections), parsed.GetValue(arms)),
                Sections = parsed.GetValue(sections) ?? [],
                Arms = parsed.GetValue(arms) ?? [],
                OutputDirectory = Path.GetFullPath(parsed.GetRequiredValue(output)),
                Spherelet = Path.GetFullPath(parsed.GetRequiredValue(spherelet)),
                GuestDirectory = Path.GetFullPath(parsed.GetRequiredValue(guest)),
                DemoLayout = Path.GetFullPath(parsed.GetRequiredValue(demo)),
                Before = parsed.GetValue(before) is { Length: > 0 } other ? Path.GetFullPath(other) : null,
                StockKernel = parsed.GetValue(stock) is { Length: > 0 } kernel ? Path.GetFullPath(kernel) : null,
                LabScript = parsed.GetValue(lab) is { Length: > 0 } script ? Path.GetFullPath(script) : null,
                Accelerator = parsed.GetValue(accelerator),
            }).RunAsync(inner),
            token));
        return root;
    }

    private static BenchPlan Plan(bool quick, int? samples, string[]? sections, string[]? arms)
    {
        BenchPlan plan = quick ? BenchPlan.Quick : BenchPlan.Full;
        if (samples is { } number)
        {
            plan = plan.WithSamples(number > 0 ? number : throw new BenchException($"--samples {number} is too few; take 1 or more."));
        }

        return plan with { IsPartial = samples is not null || sections is { Length: > 0 } || arms is { Length: > 0 } };
    }

    /// <summary>The first SIGINT or SIGTERM cancels, so that what was started is ended; a second one ends this process.</summary>
    private static async Task<int> InterruptibleAsync(Func<CancellationToken, Task<int>> work, CancellationToken cancellationToken)
    {
        using CancellationTokenSource interrupted = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        void Interrupt(PosixSignalContext context)
        {
            context.Cancel = !interrupted.IsCancellationRequested;
            _ = interrupted.CancelAsync();
        }

        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);
        return await work(interrupted.Token);
    }
}
