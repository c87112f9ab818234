using Grpc.AspNetCore.Server;
using Vks.Runtime.Machines;
using Vks.Spherelet.Images;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

/// <summary>Wires pods and CRI into the daemon. Engine, network, image store and clock are wired elsewhere.</summary>
internal static class CriRegistration
{
    /// <summary>Answers of ExecSync carry up to 16 MiB of each stream; the caller's own limit is what counts.</summary>
    private const int MaxReceiveBytes = 16 * 1024 * 1024;

    /// <summary>Adds pods and the gRPC server. <see cref="PodService.AdoptAsync(CancellationToken)"/> is to be called before the first request.</summary>
    public static IServiceCollection AddCri(this IServiceCollection services, PodOptions options, PoolOptions pool)
    {
        services.AddSingleton(options);
        services.AddSingleton(pool);
        services.AddSingleton<PodTable>();
        services.AddSingleton<PodStore>();
        services.AddSingleton<PodShare>();
        services.AddSingleton<EmptyDirs>();
        services.AddSingleton<ContainerFollower>();
        services.AddSingleton<IPodHooks, NoPodHooks>();
        services.AddSingleton<ContainerService>();
        services.AddSingleton<Rehearsal>();
        services.AddSingleton<ITemplateRehearsal>(static parts => parts.GetRequiredService<Rehearsal>());
        services.AddSingleton<MachinePool>();
        services.AddSingleton<PodService>();
        services.AddSingleton<WritableLayers>();
        services.AddSingleton<PodMeter>();
        services.AddSingleton<PodCostReader>();
        services.AddSingleton<IImageUsers, PodImageUsers>();
        services.AddSingleton<CriInterceptor>();
        services.AddSingleton<RuntimeService>();
        services.AddSingleton<ImageService>();
        services.AddGrpc(SetUp);
        return services;
    }

    /// <summary>Maps both services, under the present name of the API and the former one.</summary>
    public static void MapCri(this WebApplication app)
    {
        app.UseBrokenRequests();
        app.UseFormerApi();
        app.UseRouting();
        app.MapGrpcService<RuntimeService>();
        app.MapGrpcService<ImageService>();
    }

    private static void SetUp(GrpcServiceOptions options)
    {
        options.Interceptors.Add<CriInterceptor>();
        options.MaxReceiveMessageSize = MaxReceiveBytes;
        options.MaxSendMessageSize = null;
    }
}
