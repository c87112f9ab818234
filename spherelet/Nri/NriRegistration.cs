using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Nri;

/// <summary>Wires NRI into the daemon.</summary>
internal static class NriRegistration
{
    /// <summary>Adds NRI, so that plugins have their say; <see cref="NriService.StartAsync"/> lets them in.</summary>
    public static IServiceCollection AddNri(this IServiceCollection services, NriOptions options)
    {
        services.AddSingleton(options);
        services.AddSingleton<NriPlugins>();
        services.AddSingleton<Func<ContainerService>>(static parts => parts.GetRequiredService<ContainerService>);
        services.AddSingleton<NriHooks>();
        services.AddSingleton<IPodHooks>(static parts => parts.GetRequiredService<NriHooks>());
        services.AddSingleton<NriService>();
        return services;
    }
}
