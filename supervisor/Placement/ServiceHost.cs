using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Vks.Supervisor.Kubernetes;
using Vks.Supervisor.Namespaces;

namespace Vks.Supervisor.Placement;

/// <summary>
/// The HTTPS server for kube-scheduler (<c>/placement/…</c>, only with a certificate of our authority) and kube-apiserver (<c>/admission/…</c>, which shows
/// no certificate and learns nothing but yes or no). Every Supervisor serves both, whether it leads or not, once it has seen the cluster.
/// </summary>
internal sealed class ServiceHost(
    IPEndPoint address, ServiceCertificates certificates, PlacementService placement, PodAdmission pods, NamespaceAdmission namespaces, ILoggerFactory log)
{
    /// <summary>Go's types have no JSON names: members are spelled as in Go.</summary>
    private static readonly JsonSerializerOptions s_json = new() { PropertyNameCaseInsensitive = true };

    /// <summary>Serves until cancelled.</summary>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Host"/>: the address is taken.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Services.AddSingleton(log);
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(address, listen => listen.UseHttps(https =>
        {
            https.ServerCertificate = certificates.Server();
            https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
            https.ClientCertificateValidation = (client, _, _) => certificates.IsOurs(client);
        })));
        WebApplication app = builder.Build();
        await using (app)
        {
            Map(app);
            try
            {
                await app.StartAsync(cancellationToken);
            }
            catch (IOException taken)
            {
                throw new SupervisorException(SupervisorFault.Host, $"The placement service cannot listen on {address}: {taken.Message} Choose another one with --service-address.", taken);
            }

            await Task.Delay(Timeout.Infinite, cancellationToken).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            using CancellationTokenSource limit = new(TimeSpan.FromSeconds(2));
            await app.StopAsync(limit.Token);
        }
    }

    private void Map(WebApplication app)
    {
        RouteGroupBuilder scheduler = app.MapGroup("/placement").AddEndpointFilter(static async (context, next) =>
            context.HttpContext.Connection.ClientCertificate is null ? Results.StatusCode(StatusCodes.Status403Forbidden) : await next(context));
        scheduler.MapPost("/filter", async (HttpContext context) => Json(await placement.FilterAsync(await ReadAsync<ExtenderArgs>(context), context.RequestAborted)));
        scheduler.MapPost("/prioritize", async (HttpContext context) => Json(placement.Prioritize(await ReadAsync<ExtenderArgs>(context))));
        scheduler.MapPost("/preempt", async (HttpContext context) => Json(placement.Preempt(await ReadAsync<ExtenderPreemption>(context))));
        scheduler.MapPost("/bind", async (HttpContext context) => Json(await placement.BindAsync(await ReadAsync<ExtenderBindingArgs>(context), context.RequestAborted)));
        app.MapPost("/admission/pods", async (HttpContext context) => Json(PodAdmission.Default(await ReviewAsync(context))));
        app.MapPost("/admission/placement", async (HttpContext context) => Json(pods.Check(await ReviewAsync(context))));
        app.MapPost("/admission/namespaces", async (HttpContext context) => Json(await namespaces.DecideAsync(await ReviewAsync(context), context.RequestAborted)));
    }

    private static async Task<T> ReadAsync<T>(HttpContext context) =>
        await JsonSerializer.DeserializeAsync<T>(context.Request.Body, s_json, context.RequestAborted) ?? throw new BadHttpRequestException("an empty body");

    private static async Task<AdmissionRequest> ReviewAsync(HttpContext context) =>
        new(await JsonNode.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted) ?? throw new BadHttpRequestException("an empty body"));

    private static JsonHttpResult<T> Json<T>(T answer) => TypedResults.Json(answer, s_json);
}
