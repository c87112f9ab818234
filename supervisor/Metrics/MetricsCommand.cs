using System.CommandLine;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using k8s;
using k8s.Autorest;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Vks.Supervisor.Metrics;

/// <summary>The verb <c>metrics</c>: serves metrics.k8s.io behind the API servers until SIGTERM.</summary>
internal static class MetricsCommand
{
    /// <summary>The verb.</summary>
    public static Command Build()
    {
        Option<string> kubeconfig = new("--kubeconfig") { Description = "How to reach the API server; may list nodes and pods, ask for access, and write the APIService", Required = true };
        Option<string> address = new("--address") { Description = "Address of this host that the API servers reach", Required = true };
        Option<int> port = new("--port") { Description = "TCP port", DefaultValueFactory = static _ => 4443 };
        Option<int> interval = new("--interval-seconds") { Description = "Between two questions to a kubelet", DefaultValueFactory = static _ => 15 };
        Command command = new("metrics", "Serves what nodes and pods use, for kubectl top: metrics.k8s.io from the kubelets' summaries") { kubeconfig, address, port, interval };
        command.SetAction((parsed, token) => ServeAsync(
            parsed.GetRequiredValue(kubeconfig),
            MetricsOptions.Check(parsed.GetRequiredValue(address), parsed.GetValue(port), parsed.GetValue(interval)),
            token));
        return command;
    }

    private static async Task<int> ServeAsync(string kubeconfig, MetricsOptions options, CancellationToken cancellationToken)
    {
        if (!File.Exists(kubeconfig))
        {
            throw new SupervisorException(SupervisorFault.Settings, $"kubeconfig '{kubeconfig}' is missing.");
        }

        using k8s.Kubernetes client = new(await KubernetesClientConfiguration.BuildConfigFromConfigFileAsync(new FileInfo(kubeconfig)));
        try
        {
            FrontProxy proxy = await FrontProxy.ReadAsync(client, cancellationToken);
            using X509Certificate2 certificate = ServingCertificate.Create($"{MetricsOptions.Service}.{MetricsOptions.Namespace}.svc", TimeProvider.System.GetUtcNow());
            await using WebApplication server = Build(client, options, proxy, certificate);
            await server.StartAsync(cancellationToken);
            await new Registration(client).PutAsync(options, certificate, cancellationToken);
            await server.WaitForShutdownAsync(cancellationToken);
            return 0;
        }
        catch (Exception fault) when (fault is HttpOperationException or HttpRequestException)
        {
            string said = fault is HttpOperationException refused ? refused.Response.Content : fault.Message;
            throw new SupervisorException(SupervisorFault.ControlPlane, $"The API server of '{kubeconfig}' does not answer as needed: {said}", fault);
        }
    }

    private static WebApplication Build(IKubernetes client, MetricsOptions options, FrontProxy proxy, X509Certificate2 certificate)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.AddSimpleConsole(static console => console.SingleLine = true).SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddRouting().AddSingleton(client).AddSingleton(options).AddSingleton(TimeProvider.System)
            .AddSingleton<UseTable>().AddSingleton<AccessCheck>().AddSingleton<MetricsApi>().AddHostedService<NodeSampler>();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(options.Address, options.Port, listen => listen.UseHttps(https =>
        {
            https.ServerCertificate = certificate;
            https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
            https.ClientCertificateValidation = (presented, _, _) => proxy.IsTrusted(presented);
        })));
        WebApplication server = builder.Build();
        server.Use(async (context, next) =>
        {
            try
            {
                await next(context);
            }
            catch (Exception fault) when (fault is HttpOperationException or HttpRequestException && !context.Response.HasStarted)
            {
                await MetricsApi.RefuseAsync(context, HttpStatusCode.ServiceUnavailable, "ServiceUnavailable", $"The API server did not answer what this needs: {fault.Message}");
            }
        });
        server.Services.GetRequiredService<MetricsApi>().Map(server);
        return server;
    }
}
