using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging.Console;
using Vks.Runtime.Machines;
using Vks.Runtime.Templates;
using Vks.Spherelet.Cri;
using Vks.Spherelet.Images;
using Vks.Spherelet.Machines;
using Vks.Spherelet.Network;
using Vks.Spherelet.Node;
using Vks.Spherelet.Nri;
using Vks.Spherelet.Overhead;
using Vks.Spherelet.Pods;
using Vks.Spherelet.Streaming;
using Vks.Spherelet.Telemetry;

namespace Vks.Spherelet;

/// <summary>All wiring, read top to bottom: settings to parts, parts to services, services to a socket.</summary>
internal static partial class Daemon
{
    /// <summary>How long requests under way may go on after SIGTERM.</summary>
    private static readonly TimeSpan s_shutdownTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Serves CRI until SIGTERM. Pods go on without the daemon.</summary>
    /// <exception cref="NodeException">Another daemon has the root directory or the socket.</exception>
    public static async Task ServeAsync(SphereletOptions options, CancellationToken cancellationToken)
    {
        using DaemonLock rootLock = DaemonLock.Take(options.RootDirectory);
        await DaemonSocket.ClearAsync(options.SocketPath, cancellationToken);

        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = "/" });
        AddLogging(builder.Logging, options.LogLevel, LogLevel.None);
        AddNode(builder.Services, options);
        builder.Services.AddNri(new NriOptions
        {
            Socket = options.NriSocket,
            PluginDirectory = options.NriPluginDirectory,
            PluginConfigDirectory = options.NriPluginConfigDirectory,
            RegistrationTimeout = TimeSpan.FromSeconds(options.NriRegistrationTimeoutSeconds),
            RequestTimeout = TimeSpan.FromSeconds(options.NriRequestTimeoutSeconds),
        });
        StreamingOptions streaming = new()
        {
            Address = IPAddress.Parse(options.StreamingAddress),
            Port = options.StreamingPort,
            IdleTimeout = TimeSpan.FromSeconds(options.StreamingIdleTimeoutSeconds),
        };
        builder.Services.AddStreaming(streaming);
        AddCollector(builder.Services, options);
        AddOverhead(builder.Services, options);
        IPEndPoint? metrics = string.IsNullOrEmpty(options.MetricsAddress) ? null : IPEndPoint.Parse(options.MetricsAddress);
        if (metrics is not null)
        {
            builder.Services.AddMetricsEndpoint();
        }

        if (!string.IsNullOrEmpty(options.TracingEndpoint))
        {
            builder.Services.AddTracing(options);
        }

        IPEndPoint? machines = string.IsNullOrEmpty(options.MachinesAddress) ? null : IPEndPoint.Parse(options.MachinesAddress);
        builder.Services.AddSingleton(parts => new MachinesTls(
            options.MachinesCertFile ?? "", options.MachinesKeyFile ?? "", options.MachinesClientCaFile ?? "", parts.GetRequiredService<ILogger<MachinesTls>>()));
        builder.Services.AddRouting();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = s_shutdownTimeout);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.ListenUnixSocket(options.SocketPath, static listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                listen.UseAnyAuthority();
            });
            kestrel.ListenForStreaming(streaming);
            if (metrics is not null)
            {
                kestrel.ListenForMetrics(metrics);
            }

            if (machines is not null)
            {
                kestrel.ListenForMachines(machines);
            }
        });

        await using WebApplication app = builder.Build();
        ILogger logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Vks.Spherelet.Daemon");
        foreach (string name in SphereletOptionsLoader.UnknownVariables(SphereletOptionsLoader.ReadEnvironment()))
        {
            UnknownVariable(logger, name);
        }

        app.UseStreaming();
        if (metrics is not null)
        {
            app.UseMetricsEndpoint();
        }

        app.UseMachinesEndpoint();
        app.MapCri();
        app.MapMachines();
        await AdoptAsync(app.Services, cancellationToken);
        app.Services.GetRequiredService<KeptMachines>().Begin();
        await app.Services.GetRequiredService<IPodNetwork>().CollectAsync(cancellationToken);
        await app.Services.GetRequiredService<NriService>().StartAsync(cancellationToken);
        await app.StartAsync(cancellationToken);
        File.SetUnixFileMode(options.SocketPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Ready(logger, CommandLine.Version, options.SocketPath);
        WantTemplate(app.Services.GetRequiredService<CrxEngine>(), options, app.Lifetime.ApplicationStopping);
        app.Services.GetRequiredService<MachinePool>().Start();

        // What starting up left behind would stay for as long as an idle daemon allocates little: about 13 MiB.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        await ServiceManager.NotifyAsync("READY=1", cancellationToken);
        await app.WaitForShutdownAsync(cancellationToken);
        Ended(logger);
    }

    /// <summary>So that the first pod without limits need not boot. It goes on in the background; the engine's end waits for its end.</summary>
    private static void WantTemplate(CrxEngine engine, SphereletOptions options, CancellationToken ending) =>
        _ = engine.WantTemplateAsync(new TemplateShape(options.DefaultVcpus, options.DefaultMemoryMiB, options.ScratchMiB, HasNetwork: true, HasShare: true), ending)
            .ContinueWith(static wanted => wanted.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);

    /// <summary>Runs one pod without Kubernetes, in a root directory of its own, so that a daemon may run beside it.</summary>
    /// <returns>The program's exit code.</returns>
    /// <exception cref="NodeException">Another run is under way.</exception>
    public static async Task<int> RunPodAsync(SphereletOptions settings, RunRequest request, CancellationToken cancellationToken)
    {
        SphereletOptions options = ForRuns(settings) with { DefaultVcpus = request.VcpuCount, DefaultMemoryMiB = request.MemoryMiB };
        using DaemonLock rootLock = DaemonLock.Take(options.RootDirectory);
        await using ServiceProvider parts = BuildParts(options, LogLevel.Warning);
        await AdoptAsync(parts, cancellationToken);
        await RemovePodsAsync(parts, cancellationToken);
        return await parts.GetRequiredService<PodRunner>().RunAsync(
            request, Path.Combine(options.RootDirectory, "logs"), Console.Out, Console.Error, cancellationToken);
    }

    /// <summary>Removes every pod and machine of a root directory, and our own bridge. Images stay, and disks of machines that are kept running, which are stopped.</summary>
    /// <exception cref="NodeException">Its daemon runs.</exception>
    public static async Task DrainAsync(SphereletOptions settings, CancellationToken cancellationToken)
    {
        foreach (SphereletOptions options in new[] { settings, ForRuns(settings) }.Where(static options => Directory.Exists(options.RootDirectory)))
        {
            using DaemonLock rootLock = DaemonLock.Take(options.RootDirectory);
            await using ServiceProvider parts = BuildParts(options, LogLevel.Warning);
            await AdoptAsync(parts, cancellationToken);
            await parts.GetRequiredService<KeptMachines>().EndAllAsync(cancellationToken);
            await RemovePodsAsync(parts, cancellationToken);
        }

        await OwnBridge.RemoveUnusedAsync(settings.BridgeName, cancellationToken);
    }

    /// <summary>Checks the host; needs no daemon and changes nothing.</summary>
    public static async Task<IReadOnlyList<CheckResult>> ExamineAsync(SphereletOptions options, CancellationToken cancellationToken)
    {
        await using ServiceProvider parts = BuildParts(options, LogLevel.Error);
        return NodeChecks.Evaluate(await parts.GetRequiredService<NodeFactsReader>().ReadAsync(cancellationToken));
    }

    /// <summary>Settings of <c>spherelet run</c>: folders, sockets and user ids apart from the daemon's.</summary>
    private static SphereletOptions ForRuns(SphereletOptions options) => options with
    {
        RootDirectory = Path.Combine(options.RootDirectory, "run"),
        RuntimeDirectory = Path.Combine(options.RuntimeDirectory, "run"),
        FirstUserId = options.FirstUserId + 65_536,
        TemplateBudgetMiB = 0, // One pod and the end: nobody would start from it.
    };

    private static ServiceProvider BuildParts(SphereletOptions options, LogLevel level)
    {
        ServiceCollection services = new();
        services.AddLogging(logging => AddLogging(logging, level > options.LogLevel ? level : options.LogLevel, LogLevel.Trace));
        AddNode(services, options);
        return services.BuildServiceProvider();
    }

    private static void AddNode(IServiceCollection services, SphereletOptions options)
    {
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(options);

        services.AddSingleton(new PodNetworkOptions
        {
            StateDirectory = Path.Combine(options.RootDirectory, "cni"),
            ConfigDirectory = options.CniConfigDirectory,
            PluginDirectories = options.CniPluginDirectories,
            BridgeName = options.BridgeName,
            PodSubnets = options.PodSubnets,
            PluginTimeout = TimeSpan.FromSeconds(options.CniTimeoutSeconds),
        });
        services.AddSingleton<CniConfigurationSource>();
        services.AddSingleton<IPodNetwork, CniPodNetwork>();

        services.AddSingleton(new CrxEngineOptions
        {
            RootDirectory = options.RootDirectory,
            RuntimeDirectory = options.RuntimeDirectory,
            GuestDirectory = options.GuestDirectory,
            QemuPath = options.Qemu,
            Accelerator = options.Accelerator,
            BootTimeout = TimeSpan.FromSeconds(options.BootTimeoutSeconds),
            TemplateBudgetMiB = options.TemplateBudgetMiB,
            FirstUserId = (uint)options.FirstUserId,
            ClockInterval = TimeSpan.FromSeconds(options.GuestClockIntervalSeconds),
        });
        services.AddSingleton<CrxEngine>();

        services.AddSingleton<IImageStore>(parts => ImageStore.Open(
            new ImageStoreOptions
            {
                Directory = Path.Combine(options.RootDirectory, "images"),
                RuntimeDirectory = options.RuntimeDirectory,
                RegistriesConf = options.RegistriesConf,
                SignaturePolicy = options.SignaturePolicy,
                SignatureDirectory = options.SignatureDirectory,
                AuthFile = options.RegistryAuthFile,
                CertificateDirectory = options.RegistryCertificateDirectory,
                Pinned = options.PinnedImages,
                ParallelPulls = options.MaxParallelPulls,
                ProgressTimeout = TimeSpan.FromSeconds(options.PullProgressTimeoutSeconds),
            },
            parts.GetRequiredService<TimeProvider>(),
            parts.GetRequiredService<ILoggerFactory>()));
        services.AddSingleton<IImageSource>(static parts => parts.GetRequiredService<IImageStore>());

        services.AddCri(
            new PodOptions
            {
                RootDirectory = options.RootDirectory,
                DefaultVcpuCount = options.DefaultVcpus,
                DefaultMemoryMiB = options.DefaultMemoryMiB,
                ScratchMiB = options.ScratchMiB,
                EmptyDirMiB = options.EmptyDirMiB,
            },
            new PoolOptions
            {
                MemoryMiB = options.PoolMemoryMiB,
                Keep = TimeSpan.FromSeconds(options.PoolKeepSeconds),
                RehearsalDisk = Path.Combine(options.GuestDirectory, "rehearsal.sqfs"),
            });

        services.AddKeptMachines(new KeptMachineOptions
        {
            RootDirectory = options.RootDirectory,
            Image = options.MachinesImage ?? Path.Combine(options.GuestDirectory, "control-plane.sqfs"),
        });

        services.AddSingleton<NodeFactsReader>();
        services.AddSingleton<PodRunner>();
    }

    private static void AddCollector(IServiceCollection services, SphereletOptions options)
    {
        CollectionRules rules = new()
        {
            HighPercent = options.ImageGcHighPercent,
            LowPercent = options.ImageGcLowPercent,
            MinAge = TimeSpan.FromSeconds(options.ImageGcMinAgeSeconds),
            MaxIdle = TimeSpan.FromHours(options.ImageGcMaxIdleHours),
            Period = TimeSpan.FromSeconds(options.ImageGcPeriodSeconds),
        };
        if (rules.Enabled)
        {
            services.AddSingleton(rules);
            services.AddHostedService<ImageCollector>();
        }
    }

    private static void AddOverhead(IServiceCollection services, SphereletOptions options)
    {
        NodeNotes? node = string.IsNullOrEmpty(options.NodeApiServer)
            ? null
            : new NodeNotes(new NodePlace(
                options.NodeName ?? Environment.MachineName.ToLowerInvariant(), new Uri(options.NodeApiServer), options.NodeCaFile, options.NodeCertFile));
        services.AddSingleton(parts => new OverheadWatch(
            parts.GetRequiredService<PodCostReader>(), node, parts.GetRequiredService<TimeProvider>(), parts.GetRequiredService<ILogger<OverheadWatch>>()));
        services.AddHostedService(static parts => parts.GetRequiredService<OverheadWatch>());
    }

    /// <summary>Takes back what an earlier daemon left, before the first request: machines, then their pods, then networks that no pod has.</summary>
    private static async Task AdoptAsync(IServiceProvider parts, CancellationToken cancellationToken)
    {
        await parts.GetRequiredService<CrxEngine>().AdoptAsync(cancellationToken);
        await parts.GetRequiredService<PodService>().AdoptAsync(cancellationToken);
        PodTable table = parts.GetRequiredService<PodTable>();
        IPodNetwork network = parts.GetRequiredService<IPodNetwork>();
        foreach (string podId in network.List().Where(podId => !table.Pods.ContainsKey(podId)))
        {
            try
            {
                await network.TearDownAsync(podId, cancellationToken);
            }
            catch (NetworkException problem)
            {
                // One network that cannot be removed must not keep the others' pods from being served.
                StrayNetwork(parts.GetRequiredService<ILoggerFactory>().CreateLogger("Vks.Spherelet.Daemon"), podId, problem);
            }
        }
    }

    private static async Task RemovePodsAsync(IServiceProvider parts, CancellationToken cancellationToken)
    {
        PodService pods = parts.GetRequiredService<PodService>();
        foreach (string podId in parts.GetRequiredService<PodTable>().Pods.Keys)
        {
            await pods.RemoveAsync(podId, cancellationToken);
        }

        CrxEngine engine = parts.GetRequiredService<CrxEngine>();
        foreach (Machine machine in engine.Machines)
        {
            await engine.RemoveAsync(machine.Id, cancellationToken);
        }
    }

    private static void AddLogging(ILoggingBuilder logging, LogLevel level, LogLevel standardErrorFrom)
    {
        logging.SetMinimumLevel(level);
        logging.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = standardErrorFrom);
        if (level > LogLevel.Debug)
        {
            logging.AddFilter("Microsoft", LogLevel.Warning);
            logging.AddFilter("Grpc", LogLevel.Warning);
        }

        if (Environment.GetEnvironmentVariable("JOURNAL_STREAM") is null)
        {
            logging.AddSimpleConsole(static console =>
            {
                console.SingleLine = true;
                console.UseUtcTimestamp = true;
                console.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ";
            });
        }
        else
        {
            // The journal has its own clock and reads levels as <n>.
            logging.AddSystemdConsole();
        }
    }

    [LoggerMessage(3601, LogLevel.Information, "spherelet {Version} is ready on unix://{Socket}")]
    private static partial void Ready(ILogger logger, string version, string socket);

    [LoggerMessage(3602, LogLevel.Information, "spherelet has ended; pods go on")]
    private static partial void Ended(ILogger logger);

    [LoggerMessage(3603, LogLevel.Warning, "Environment variable {Name} names no setting and is not read; see 'spherelet --help'")]
    private static partial void UnknownVariable(ILogger logger, string name);

    [LoggerMessage(3604, LogLevel.Warning, "Pod {PodId} is gone, but its network could not be removed; the next start tries again")]
    private static partial void StrayNetwork(ILogger logger, string podId, Exception problem);
}
