using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
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

    private volatile bool _serves;

    /// <summary>Whether it listens.</summary>
    public bool Serves => _serves;

    /// <summary>Serves until cancelled.</summary>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Host"/>: the address is taken.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        // Empty: the others look for settings files in the current folder and watch all that is below it, which for a service is the root.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = "/" });
        builder.Services.AddRouting().AddSingleton(log);
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(address, listen => listen.UseHttps(https =>
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

            _serves = true;
            await Task.Delay(Timeout.Infinite, cancellationToken).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            _serves = false;
            using CancellationTokenSource limit = new(TimeSpan.FromSeconds(2));
            await app.StopAsync(limit.Token);
        }
    }

    private void Map(WebApplication app)
    {
        Scheduler<ExtenderArgs, ExtenderFilterResult>(app, "filter", placement.FilterAsync);
        Scheduler<ExtenderArgs, IReadOnlyList<HostPriority>>(app, "prioritize", (args, _) => Task.FromResult(placement.Prioritize(args)));
        Scheduler<ExtenderPreemption, ExtenderPreemption>(app, "preempt", (args, _) => Task.FromResult(placement.Preempt(args)));
        Scheduler<ExtenderBindingArgs, ExtenderBindingResult>(app, "bind", placement.BindAsync);
        Admission(app, "pods", (request, _) => Task.FromResult(pods.Default(request)));
        Admission(app, "placement", (request, _) => Task.FromResult(pods.Check(request)));
        Admission(app, "namespaces", namespaces.DecideAsync);
    }

    private static void Scheduler<TAsked, TAnswer>(WebApplication app, string verb, Func<TAsked, CancellationToken, Task<TAnswer>> answer) =>
        app.MapPost($"/placement/{verb}", async (HttpContext context) =>
        {
            if (context.Connection.ClientCertificate is null)
            {
                context.Response.StatusCode = StatusCodes.Status403Forbidden;
                return;
            }

            TAsked asked = await ReadAsync<TAsked>(context);
            await context.Response.WriteAsJsonAsync(await answer(asked, context.RequestAborted), s_json, context.RequestAborted);
        });

    private static void Admission(WebApplication app, string subject, Func<AdmissionRequest, CancellationToken, Task<JsonObject>> decide) =>
        app.MapPost($"/admission/{subject}", async (HttpContext context) =>
        {
            AdmissionRequest request = new(await JsonNode.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted) ?? throw new BadHttpRequestException("an empty body"));
            await context.Response.WriteAsJsonAsync(await decide(request, context.RequestAborted), s_json, context.RequestAborted);
        });

    private static async Task<T> ReadAsync<T>(HttpContext context) =>
        await JsonSerializer.DeserializeAsync<T>(context.Request.Body, s_json, context.RequestAborted) ?? throw new BadHttpRequestException("an empty body");
}
