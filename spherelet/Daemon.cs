using Microsoft.AspNetCore.Server.Kestrel.Core;
using Vks.Runtime.Machines;
using Vks.Spherelet.Network;
using Vks.Spherelet.Node;

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
        AddLogging(builder.Logging, options.LogLevel);
        AddNode(builder.Services, options);
        builder.Services.AddRouting();
        builder.Services.AddGrpc();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = s_shutdownTimeout);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.ListenUnixSocket(options.SocketPath, static listen => listen.Protocols = HttpProtocols.Http2);
        });

        await using WebApplication app = builder.Build();
        ILogger logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Vks.Spherelet.Daemon");
        foreach (string name in SphereletOptionsLoader.UnknownVariables(SphereletOptionsLoader.ReadEnvironment()))
        {
            UnknownVariable(logger, name);
        }

        await AdoptAsync(app.Services, cancellationToken);
        await app.StartAsync(cancellationToken);
        File.SetUnixFileMode(options.SocketPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Ready(logger, CommandLine.Version, options.SocketPath);
        await ServiceManager.NotifyAsync("READY=1", cancellationToken);
        await app.WaitForShutdownAsync(cancellationToken);
        Ended(logger);
    }

    /// <summary>Checks the host; needs no daemon and changes nothing.</summary>
    public static async Task<IReadOnlyList<CheckResult>> ExamineAsync(SphereletOptions options, CancellationToken cancellationToken)
    {
        ServiceCollection services = new();
        AddNode(services, options);
        services.AddLogging(logging => AddLogging(logging, LogLevel.Error));
        await using ServiceProvider parts = services.BuildServiceProvider();
        return NodeChecks.Evaluate(await parts.GetRequiredService<NodeFactsReader>().ReadAsync(cancellationToken));
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

        services.AddSingleton<CrxEngine>();
        services.AddSingleton<NodeFactsReader>();
    }

    /// <summary>Takes back what an earlier daemon left, before the first request.</summary>
    private static Task AdoptAsync(IServiceProvider services, CancellationToken cancellationToken) =>
        services.GetRequiredService<CrxEngine>().AdoptAsync(cancellationToken);

    private static void AddLogging(ILoggingBuilder logging, LogLevel level)
    {
        logging.SetMinimumLevel(level);
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
}
