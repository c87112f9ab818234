using System.Text.Json;
using Vks.Bench.Results;
using Vks.Spherelet.Cri.V1;

namespace Vks.Bench.Arms;

/// <summary>The registry and every container runtime of a run. Disposing ends them all and puts the host's forwarding back.</summary>
internal sealed class ArmSet : IAsyncDisposable
{
    private const string Forwarding = "/proc/sys/net/ipv4/ip_forward";

    /// <summary>The daemon's flag that says how much room templates may take; without room every machine boots.</summary>
    private const string TemplatesSetting = "--template-budget-mib";

    /// <summary>The daemon's flag that says how much memory machines may take that are started before their pods come.</summary>
    private const string PoolSetting = "--pool-memory-mib";

    private readonly List<Arm> _arms = [];
    private string _forwardingBefore = "";

    private ArmSet()
    {
    }

    /// <summary>The images.</summary>
    public BenchRegistry Registry { get; private set; } = null!;

    /// <summary>The runtimes, running and with the image pulled.</summary>
    public IReadOnlyList<Arm> Arms => _arms;

    /// <summary>Whether guests run on KVM, by the daemon's own word.</summary>
    public bool IsKvm { get; private set; }

    /// <summary>Starts everything; what was begun is ended when it fails.</summary>
    /// <param name="directory">Everything of the run lies below.</param>
    /// <param name="settings">What was asked for.</param>
    /// <param name="files">Parts of this project.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="BenchException">A part is missing or does not come up.</exception>
    public static async Task<ArmSet> StartAsync(string directory, BenchSettings settings, SphereletFiles files, CancellationToken cancellationToken)
    {
        ArmSet set = new() { _forwardingBefore = await File.ReadAllTextAsync(Forwarding, cancellationToken) };
        try
        {
            set.Registry = await BenchRegistry.StartAsync(Path.Combine(directory, "registry"), settings.DemoLayout, cancellationToken);
            await foreach (Arm arm in set.MakeAsync(directory, settings, files, cancellationToken))
            {
                set._arms.Add(arm);
                await arm.StartAsync(cancellationToken);
                await arm.Cri.Images.PullImageAsync(new PullImageRequest { Image = new ImageSpec { Image = set.Registry.Image } }, cancellationToken: cancellationToken);
                if (arm.IsOurs)
                {
                    set.IsKvm = await AcceleratorOfAsync(arm, cancellationToken) == "kvm";
                }
            }

            return set;
        }
        catch
        {
            await set.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (Arm arm in _arms)
        {
            await arm.DisposeAsync();
        }

        _arms.Clear();
        if (Registry is not null)
        {
            await Registry.DisposeAsync();
        }

        // The CNI bridge plugin turns it on and leaves it so.
        await File.WriteAllTextAsync(Forwarding, _forwardingBefore);
    }

    private async IAsyncEnumerable<Arm> MakeAsync(
        string directory, BenchSettings settings, SphereletFiles files, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        bool hasTemplates = await SphereletArm.HasSettingAsync(files.Program, TemplatesSetting, cancellationToken);
        string[] common = settings.Accelerator is { } accelerator ? ["--accelerator", accelerator] : [];
        if (Wanted(ArmNames.Cold))
        {
            yield return Own(ArmNames.Cold, "vks, every machine boots", "10.201.0.0/16", hasTemplates ? [TemplatesSetting, "0", .. common] : common);
        }

        if (hasTemplates && Wanted(ArmNames.Clone))
        {
            yield return Own(ArmNames.Clone, "vks, machines are clones of a template", "10.202.0.0/16", common);
        }

        if (hasTemplates && Wanted(ArmNames.Pool))
        {
            yield return Own(ArmNames.Pool, "vks, clones that are started before their pods come", "10.204.0.0/16", [PoolSetting, "1024", .. common]);
        }

        if (settings.Before is { } before && Wanted(ArmNames.Before))
        {
            string folder = Path.Combine(directory, ArmNames.Before);
            SphereletFiles others = new(Path.Combine(before, "spherelet"), Path.Combine(before, "guest"));
            yield return new SphereletArm(ArmNames.Before, "vks, the build in " + before, folder, CniNetwork.Create(folder, "vksb-before", "10.205.0.0/16"), others, common);
        }

        if (Wanted(ArmNames.Containerd))
        {
            string folder = Path.Combine(directory, ArmNames.Containerd);
            yield return new ContainerdArm(folder, CniNetwork.Create(folder, "vksb-ctd", "10.203.0.0/16"), Registry.PauseImage);
        }

        bool Wanted(string name) => settings.Arms.Count == 0 || settings.Arms.Contains(name);

        SphereletArm Own(string name, string title, string subnet, string[] flags)
        {
            string folder = Path.Combine(directory, name);
            return new SphereletArm(name, title, folder, CniNetwork.Create(folder, "vksb-" + name, subnet), files, flags);
        }
    }

    private static async Task<string> AcceleratorOfAsync(Arm arm, CancellationToken cancellationToken)
    {
        StatusResponse status = await arm.Cri.Runtime.StatusAsync(new StatusRequest { Verbose = true }, cancellationToken: cancellationToken);
        using JsonDocument info = JsonDocument.Parse(status.Info.TryGetValue("info", out string? text) ? text : "{}");
        return info.RootElement.TryGetProperty("accelerator", out JsonElement accelerator) ? accelerator.GetString()! : "tcg";
    }
}
